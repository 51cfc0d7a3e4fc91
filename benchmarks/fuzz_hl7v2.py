"""Hostile HL7 v2: nothing raises, every byte comes back, and time and memory stay linear.

    python benchmarks/fuzz_hl7v2.py                  # 100,000 messages and 2,000 streams
    python benchmarks/fuzz_hl7v2.py --inputs 1000    # fewer
    python benchmarks/fuzz_hl7v2.py --seed 7         # others

Exit code 1 if an input raised, lost a byte, or a cost grew faster than the input.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence

from hl7v2 import MESSAGES

from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2 import ack, check, parse, read_messages

TOKENS = (
    b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\r\n", b"\x0b", b"\x1c\r", b"\0", b'""', b"MSH", b"MSH|^~\\&|",
    b"PID|", b"OBX|", b"BHS|", b"BTS|", b"FHS|", b"FTS|", b"ZZZ|", b"\\X", b"\\.br\\", b"\\M2442\\", b"\xff",
    b"\xc3\xa9", b"2.4", b"20260230", b"9990000018", b"ADT^A01", b"\xef\xbb\xbf", b"\xff\xfe",
    b"UNICODE UTF-8", b"8859/1", b"ISO IR87",
)  # fmt: skip
PROFILES = (None, "standard", "uk")


def mutated(random_: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with a few cuts, repeats, exchanges and insertions."""
    data = bytearray(random_.choice(seeds))
    for _ in range(random_.randint(1, 12)):
        place = random_.randrange(len(data) + 1)
        end = min(len(data), place + random_.randint(1, 60))
        act = random_.randrange(5)
        if act == 0:
            del data[place:end]
        elif act == 1:
            data[place:place] = random_.choice(TOKENS) * random_.choice((1, 1, 1, 2, 40))
        elif act == 2:
            data[place:place] = data[place:end] * random_.choice((1, 2, 9))
        elif act == 3:
            data[place:end] = random_.randbytes(end - place)
        else:
            other = random_.choice(seeds)
            start = random_.randrange(len(other))
            data[place:place] = other[start : start + 80]
    return bytes(data)


def one_message(raw: bytes, profile: str | None) -> str:
    """Read, judge, acknowledge and write one input; what came of it."""
    findings = check(raw, profile)
    try:
        message = parse(raw)
    except MessageUnreadable:
        assert findings
        return "unreadable"
    assert bytes(message) == raw, "a byte was lost"
    for segment in message:
        for number in range(1, len(segment.fields)):
            for repetition in segment.repetitions(number):
                repetition[1], repetition[2, 2]
    assert parse(bytes(ack(message, "AE")))["MSA-1"] == "AE", "the acknowledgement cannot be read"
    return "findings" if findings else "sound"


def fuzz(inputs: int, seed: int) -> Counter[str]:
    """Fuzz messages, and streams of them."""
    random_ = random.Random(seed)
    seeds = [text.encode("ascii") for text in MESSAGES.values()]
    seeds += [b"FHS|^~\\&|\rBHS|^~\\&|\r" + b"".join(seeds) + b"BTS|2\rFTS|1\r", b"\x0b" + seeds[0] + b"\x1c\r"]
    seeds += [seeds[0].decode().encode("utf-16"), seeds[0].replace(b"|2.4\r", b"|2.4||||||UNICODE UTF-8\r")]
    counts: Counter[str] = Counter()
    for number in range(inputs):
        counts[one_message(mutated(random_, seeds), PROFILES[number % 3])] += 1
    for _ in range(max(1, inputs // 50)):
        stream = b"".join(mutated(random_, seeds) for _ in range(random_.randint(1, 5)))
        for part in read_messages(io.BytesIO(stream)):
            counts["from streams" if part.raw is not None else "trouble in streams"] += 1
            if part.raw is not None:
                one_message(part.raw, None)
    return counts


HEADER = b"MSH|^~\\&|A|B|C|D|20260102||ORU^R01^ORU_R01|1|P|2.5\r"
# What grows in each: a message of n pieces.
GROWING: dict[str, Callable[[int], bytes]] = {
    "segments in order": lambda n: HEADER + b"PID|1||1||A\rOBR|1|||A^B\r" + b"OBX|1|ST|A||x||||||F\r" * n,
    "segments out of order": lambda n: HEADER + b"OBX|1|ST|A||x\rPID|1\rMSH|1\rOBR|1\r" * (n // 4),
    "unknown segments": lambda n: HEADER + b"QQQ|1\r" * n,
    "fields": lambda n: HEADER + b"PID" + b"|x" * n,
    "repetitions": lambda n: HEADER + b"PID|1||" + b"x^y~" * n,
    "components": lambda n: HEADER + b"PID|1||" + b"x^" * n,
    "sub-components": lambda n: HEADER + b"PID|1||" + b"x&" * n,
    "escape characters": lambda n: HEADER + b"PID|1||" + b"\\" * n,
    "escapes": lambda n: HEADER + b"PID|1||" + b"\\T\\\\X41\\" * n,
    "shifts": lambda n: HEADER + b"PID|1||" + b"\\M2442\\;3\\C2842\\" * n,
    "line feeds": lambda n: HEADER + b"PID|1||" + b"\n" * n,
    "bytes that are no UTF-8": lambda n: HEADER + b"PID|1||" + b"\xff" * n,
    "batch wrappers": lambda n: b"BHS|^~\\&|\rBTS|1\r" * n,
}


def growth(pieces: int) -> dict[str, tuple[float, float]]:
    """For each kind: how many times the time and the memory grow where the input grows eightfold."""
    found = {}
    for name, make in GROWING.items():
        costs = []
        for size in (pieces, 8 * pieces):
            raw = make(size)
            times = []
            for _ in range(3):
                begun = time.process_time()
                _all_of(raw)
                times.append(time.process_time() - begun)
            tracemalloc.start()
            _all_of(raw)
            costs.append((min(times), tracemalloc.get_traced_memory()[1]))
            tracemalloc.stop()
        found[name] = (costs[1][0] / max(costs[0][0], 1e-6), costs[1][1] / max(costs[0][1], 1))
    return found


def _all_of(raw: bytes) -> None:
    for part in read_messages(io.BytesIO(raw)):
        if part.raw is not None:
            message = parse(part.raw)
            check(message, "uk")
            message["PID-3"]
            message["PID-3[2].1"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both parts; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pieces", type=int, default=2_000)
    given = parser.parse_args(arguments)
    counts = fuzz(given.inputs, given.seed)
    print(f"{given.inputs} messages and {max(1, given.inputs // 50)} streams: nothing raised, no byte was lost")
    print(", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    steep = 0
    for name, (slower, larger) in growth(given.pieces).items():
        # Eightfold input: linear is 8, quadratic is 64; caches and a busy machine lie between.
        wrong = slower > 24 or larger > 24
        steep += wrong
        print(f"{name}: 8 x the input, {slower:.1f} x the time, {larger:.1f} x the memory{' STEEP' if wrong else ''}")
    return 1 if steep else 0


if __name__ == "__main__":
    sys.exit(main())
