/**
 * What no single document can show: does the other stack tell the output that is read, does it come
 * earlier in the order, is its state where it is looked for? Terraform would say so only when it plans
 * the later stack, after the earlier ones were applied.
 */
import { isJsonObject, type JsonObject } from "../src/base/json.js";
import { didYouMean } from "../src/base/similar.js";
import { STACK_ORDER, type StackPart } from "../src/policy/stack-order.js";
import { REMOTE_STATE } from "./provider-schema.js";
import { referencesIn } from "./references.js";
import { elementsOf, type StackFinding } from "./schema-check.js";

export type StackDocuments = Readonly<Partial<Record<StackPart, JsonObject>>>;

/** All findings between the documents of one environment; `at` begins with the part. */
export function checkStacks(documents: StackDocuments): StackFinding[] {
  return STACK_ORDER.flatMap((part) => {
    const document = documents[part];
    if (document === undefined) return [];
    return [...checkStates(document, part, documents), ...checkReads(document, documents)].map(
      ({ at, message }) => ({ at: `${part}: ${at}`, message }),
    );
  });
}

/** Every state that is read is that of an earlier part, by the name of the part, at its backend. */
function checkStates(document: JsonObject, reader: StackPart, documents: StackDocuments) {
  return statesOf(document).flatMap(({ at, name, body }): StackFinding[] => {
    const part = STACK_ORDER.find((known) => known === name);
    const other = part === undefined ? undefined : documents[part];
    if (part === undefined || other === undefined)
      return [{ at, message: `reads the state of "${name}", which no stack of ours has` }];
    if (STACK_ORDER.indexOf(part) >= STACK_ORDER.indexOf(reader))
      return [{ at, message: `reads ${part}, which is applied after ${reader}` }];
    const found = placeRead(body);
    const expected = placeWritten(other);
    if (found === expected) return [];
    return [{ at, message: `reads the state at ${found}; ${part} keeps its own at ${expected}` }];
  });
}

function checkReads(document: JsonObject, documents: StackDocuments): StackFinding[] {
  return referencesIn(document).flatMap(({ at, parts: [root, type, name, member, output] }) => {
    if (root !== "data" || type !== REMOTE_STATE || member !== "outputs") return [];
    const other = documents[name as StackPart];
    // A state of nobody is told once, where it is declared.
    if (other === undefined || output === undefined) return [];
    const told = Object.keys(isJsonObject(other.output) ? other.output : {});
    if (told.includes(output)) return [];
    const hint = didYouMean(output, told);
    return [
      { at, message: `reads "${output}", which ${name} does not tell${hint ? ` (${hint})` : ""}` },
    ];
  });
}

function statesOf(document: JsonObject) {
  return elementsOf(document, "data").filter(({ type }) => type === REMOTE_STATE);
}

/** `s3://bucket/key in us-east-1`, or the file; of the reading side. */
function placeRead({ backend, config }: JsonObject): string {
  return placeOf(String(backend), isJsonObject(config) ? config : {});
}

/** The same of the stack itself. */
function placeWritten({ terraform }: JsonObject): string {
  const backends =
    isJsonObject(terraform) && isJsonObject(terraform.backend) ? terraform.backend : {};
  const [kind, config] = Object.entries(backends)[0] ?? ["none", {}];
  return placeOf(kind, isJsonObject(config) ? config : {});
}

function placeOf(kind: string, config: JsonObject): string {
  if (kind === "s3") return `s3://${config.bucket}/${config.key} in ${config.region}`;
  // A file's folder differs by reader; which stack is meant is said by the name.
  if (kind === "local") return "a local file";
  return kind;
}
