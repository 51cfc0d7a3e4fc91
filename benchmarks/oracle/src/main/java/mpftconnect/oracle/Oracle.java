package mpftconnect.oracle;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.parser.LenientErrorHandler;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import ca.uhn.fhir.validation.ValidationResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.utilities.npm.NpmPackage;

/**
 * The reference Java validator over many files in one warm process, for R4 or STU3.
 *
 * <p>Arguments: paths of FHIR NPM packages, the core package first; {@code --repeat N} and {@code --fhir 3.0} before them.
 * Of two definitions of one address the first counts, as for ours. Standard input: a
 * line a file, the path and, after a tab, the profiles to validate against, separated by spaces. Standard output: a line
 * of JSON a file: verdict, findings, and the least time of N runs in microseconds. Nothing is asked of a network.
 */
public final class Oracle {
  private static final Set<String> DEFINITIONS = Set.of("StructureDefinition", "ValueSet", "CodeSystem");

  private Oracle() {}

  public static void main(String[] arguments) throws IOException {
    int repeat = 1;
    FhirContext context = null;
    List<Path> packages = new ArrayList<>();
    for (int index = 0; index < arguments.length; index++) {
      if (arguments[index].equals("--repeat")) {
        repeat = Integer.parseInt(arguments[++index]);
      } else if (arguments[index].equals("--fhir")) {
        context = arguments[++index].startsWith("3") ? FhirContext.forDstu3() : FhirContext.forR4();
      } else {
        packages.add(Path.of(arguments[index]));
      }
    }
    FhirValidator validator = validator(context == null ? FhirContext.forR4() : context, packages);
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split("\t", 2);
      out.println(judged(validator, parts[0], parts.length > 1 ? parts[1].trim() : "", repeat));
    }
  }

  private static FhirValidator validator(FhirContext context, List<Path> packages) throws IOException {
    context.setParserErrorHandler(new LenientErrorHandler(false));
    PrePopulatedValidationSupport given = new PrePopulatedValidationSupport(context);
    int loaded = 0;
    Set<String> seen = new HashSet<>();
    for (Path path : packages) {
      loaded += load(context, given, path, seen);
    }
    ValidationSupportChain plain = new ValidationSupportChain(
        given,
        new CommonCodeSystemsTerminologyService(context),
        new InMemoryTerminologyServerValidationSupport(context),
        new SnapshotGeneratingValidationSupport(context),
        // SNOMED CT and the like are not here: that a code of theirs was not checked is a warning, as it is for ours.
        new UnknownCodeSystemWarningValidationSupport(context));
    System.err.println("oracle: " + loaded + " definitions");
    FhirInstanceValidator module = new FhirInstanceValidator(plain);
    module.setErrorForUnknownProfiles(true);
    module.setAnyExtensionsAllowed(true);
    FhirValidator validator = context.newValidator();
    validator.registerValidatorModule(module);
    return validator;
  }

  private static int load(FhirContext context, PrePopulatedValidationSupport into, Path path, Set<String> seen)
      throws IOException {
    IParser parser = context.newJsonParser();
    parser.setParserErrorHandler(new LenientErrorHandler(false));
    int loaded = 0;
    try (InputStream stream = Files.newInputStream(path)) {
      NpmPackage given = NpmPackage.fromPackage(stream);
      for (String name : given.list("package")) {
        if (!name.endsWith(".json") || name.equals("package.json") || name.startsWith(".")) {
          continue;
        }
        String text = new String(given.load("package", name).readAllBytes(), StandardCharsets.UTF_8);
        if (DEFINITIONS.stream().noneMatch(type -> text.contains("\"" + type + "\""))) {
          continue;
        }
        try {
          IBaseResource resource = parser.parseResource(text);
          String type = context.getResourceType(resource);
          String url = context.newTerser().getSinglePrimitiveValueOrNull(resource, "url");
          if (!DEFINITIONS.contains(type) || url == null || !seen.add(type + " " + url)) {
            continue;
          }
          switch (type) {
            case "StructureDefinition" -> into.addStructureDefinition(resource);
            case "ValueSet" -> into.addValueSet(resource);
            default -> into.addCodeSystem(resource);
          }
          loaded++;
        } catch (RuntimeException error) {
          System.err.println("oracle: cannot read " + path.getFileName() + "/" + name + ": " + error.getClass().getName());
        }
      }
    }
    return loaded;
  }

  private static String judged(FhirValidator validator, String file, String profiles, int repeat) {
    try {
      String text = Files.readString(Path.of(file), StandardCharsets.UTF_8);
      ValidationResult result = null;
      long least = Long.MAX_VALUE;
      for (int run = 0; run < repeat; run++) {
        ValidationOptions options = new ValidationOptions();
        for (String profile : profiles.split(" ")) {
          if (!profile.isEmpty()) {
            options.addProfile(profile);
          }
        }
        long begin = System.nanoTime();
        result = validator.validateWithResult(text, options);
        least = Math.min(least, System.nanoTime() - begin);
      }
      return told(file, result, least / 1000);
    } catch (IOException | RuntimeException | StackOverflowError error) {
      return "{\"file\":" + quoted(file) + ",\"verdict\":\"crashed\",\"error\":" + quoted(error.getClass().getName()) + "}";
    }
  }

  private static String told(String file, ValidationResult result, long micros) {
    boolean wrong = false;
    StringBuilder findings = new StringBuilder();
    for (SingleValidationMessage message : result.getMessages()) {
      wrong |= message.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0;
      findings
          .append(findings.isEmpty() ? "" : ",")
          .append("{\"severity\":").append(quoted(message.getSeverity().getCode()))
          .append(",\"location\":").append(quoted(message.getLocationString()))
          .append(",\"id\":").append(quoted(message.getMessageId()))
          .append(",\"message\":").append(quoted(message.getMessage()))
          .append("}");
    }
    return "{\"file\":" + quoted(file) + ",\"verdict\":\"" + (wrong ? "invalid" : "valid") + "\",\"micros\":" + micros
        + ",\"findings\":[" + findings + "]}";
  }

  private static String quoted(String text) {
    if (text == null) {
      return "null";
    }
    StringBuilder out = new StringBuilder("\"");
    for (char letter : text.toCharArray()) {
      if (letter == '"' || letter == '\\') {
        out.append('\\').append(letter);
      } else if (letter < 0x20 || letter >= 0x7f) {
        out.append(String.format("\\u%04x", (int) letter));
      } else {
        out.append(letter);
      }
    }
    return out.append('"').toString();
  }
}
