"""A plain page of a report: one file, no script, readable by anything. The full page is a form of its own."""

from __future__ import annotations

from jinja2 import Environment

from mpftconnect.conformance.outcome import Status
from mpftconnect.conformance.reporting.summary import Summary

__all__ = ["page_bytes"]

_TEMPLATE = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Conformance report: {{ s.subject.product }} {{ s.subject.version }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; color: #1a1a1a }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #767676; padding: .3rem; text-align: left }
pre { overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f2f1; padding: .5rem }
.mark { border: .3rem solid #b10e1e; padding: .5rem; font-weight: bold }
td, li, p { overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
{% if s.demonstration %}<p class="mark">{{ s.demonstration }}</p>{% endif %}
{% if s.partial %}<p class="mark">Partial: the run was {{ s.partial }}.</p>{% endif %}
<h1>Conformance report</h1>
<p>{{ s.subject.product }} {{ s.subject.version }}, {{ s.subject.entity }} ({{ s.subject.entity_code }})</p>
<h2>What this is</h2>
<ul>{% for line in s.is_ %}<li>{{ line }}</li>{% endfor %}</ul>
<h2>What this is not</h2>
<ul>{% for line in s.is_not %}<li>{{ line }}</li>{% endfor %}</ul>
<h2>Verdicts</h2>
<table>
<thead><tr><th scope="col">Pack</th><th scope="col">Verdict</th><th scope="col">Why</th></tr></thead>
<tbody>{% for p in s.packs %}
<tr><th scope="row">{{ p.title }} ({{ p.name }} {{ p.revision }})</th>
<td>{{ p.verdict_words }}</td><td>{{ p.because }}</td></tr>
{% endfor %}</tbody></table>
<h2>What the checks catch</h2>
<ul>{% for p in s.packs %}<li>{{ p.name }}:
{% if p.power %}{{ p.power.named.faults_caught }} of {{ p.power.named.faults_named }} faults that the checks name;
{% for twin, m in p.power.mutations.items() %}{{ m.noticed }} of {{ m.tried }} changes made without knowing the checks
(twin {{ twin }}){% endfor %}{% if not p.power.current %}; measured on another revision of pack or checks{% endif %}
{% else %}not measured{% endif %}</li>{% endfor %}</ul>
{% if s.environment %}<h2>Environment and test data</h2>
<ul>{% for f in s.environment %}<li>{{ f.kind }}: {{ f.words }}. {{ f.mend }}</li>{% endfor %}</ul>{% endif %}
{% for title, results in parts %}{% if results %}<h2>{{ title }}</h2>
{% for r in results %}
<section aria-labelledby="r-{{ loop.index }}-{{ title_id(title) }}">
<h3 id="r-{{ loop.index }}-{{ title_id(title) }}">{{ r.ref }}: {{ r.title }}. {{ r.status_words }}</h3>
<p>{{ r.text }}</p>
<p>Level {{ r.level }}, severity {{ r.severity }}. Source: {{ r.source.document }}, {{ r.source.section }},
{{ r.source.date }}. Hazard: {{ r.hazard }}</p>
{% if r.observed %}<p>Observed: {{ r.observed }}</p>{% endif %}
{% if r.reason %}<p>{{ r.reason }}</p>{% endif %}
{% if r.findings %}<ul>{% for f in r.findings %}<li>{{ f.rule }}: {{ f.message }} ({{ f.exchange }} {{ f.place }})</li>
{% endfor %}{% if r.more_findings %}<li>and {{ r.more_findings }} more</li>{% endif %}</ul>{% endif %}
{% if r.cause %}<p>Likely cause: {{ r.cause.kind }}. {{ r.cause.because }}.
{% if r.cause.ruled_out %}Ruled out otherwise, since {{ r.cause.ruled_out }}.{% endif %}
{% if r.cause.otherwise %}It could also be that {{ r.cause.otherwise }}.{% endif %}
{% if r.cause.mend %}What would mend it: {{ r.cause.mend }}.{% endif %}</p>{% endif %}
{% for note in r.notes %}<p>{{ note }}</p>{% endfor %}
{% if r.limits %}<p>Not seen: {{ r.limits }}</p>{% endif %}
{% for line in r.reproduce %}<pre>{{ line }}</pre>{% endfor %}
{% if r.exception %}<p>An exception is asked for: {{ r.exception.reason }} (owner {{ r.exception.owner }}, until
{{ r.exception.expires }}, hazard {{ r.exception.hazard }}).
{% if r.exception.granted_by %}Granted by {{ r.exception.granted_by }}.
{% else %}Nobody has granted it: the outcome stands.{% endif %}</p>
{% endif %}
{% if r.response %}<p>The supplier says: {{ r.response.text }}
({{ r.response.by }}, {{ r.response.date }})</p>{% endif %}
</section>
{% endfor %}{% endif %}{% endfor %}
</main>
</body>
</html>
"""


def page_bytes(summary: Summary) -> bytes:
    """The page. Whatever a supplier's system sent is text in it and nothing else."""
    settled = (Status.PASS, Status.ATTESTED, Status.EVIDENCE_FOUND, Status.NOT_ASKED, Status.NOT_OFFERED)
    parts = [
        ("Musts that failed", summary.failed_musts),
        ("Other failures", summary.of(Status.FAIL, decides=False)),
        ("Not decided, and why", summary.undecided),
        ("Settled", summary.of(*settled, Status.NOT_APPLICABLE, Status.RECORDED)),
    ]
    template = Environment(autoescape=True).from_string(_TEMPLATE)
    text = template.render(
        s=summary, parts=parts, title_id=lambda title: "".join(c for c in title.lower() if c.isalpha())
    )
    return text.encode()
