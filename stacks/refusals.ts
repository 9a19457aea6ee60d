/**
 * What a stack that a branch has made may not reach for. Planning runs with credentials: a provisioner, a data source that
 * runs programs, a foreign provider or a function that reads files would run the branch's wish with them. Denied by
 * default: whatever is not one of our own forms is refused.
 */
import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../src/base/json.js";
import { elementsOf, type StackFinding } from "./schema-check.js";

/** What the stack is allowed to be. */
export interface OwnGround {
  /** Exactly this: `{ s3: { bucket, key, region, encrypt, use_lockfile } }`. */
  readonly backend: JsonObject;
  /** Configurations of `terraform_remote_state` that may be read, by the name of the part. */
  readonly states: Readonly<Record<string, JsonObject>>;
}

const TOP_KEYS = new Set([
  ...["//", "terraform", "provider", "variable", "locals", "resource", "data", "output"],
]);
const TERRAFORM_KEYS = new Set(["backend", "required_providers", "required_version"]);
const PROVIDER_KEYS = new Set(["alias", "allowed_account_ids", "default_tags", "region"]);
/** `aws` is the word for the same that is read by Terraform alone. */
const SOURCES = ["hashicorp/aws", "aws"];
const RUNS_PROGRAMS = ["provisioner", "connection"];
const REMOTE_STATE = "terraform_remote_state";

/** Data of AWS that runs code, or puts values of secrets into the plan. */
const TELLING_DATA =
  /^aws_(lambda_invocation|secretsmanager_(secret_version|random_password)|ssm_parameters?(_by_path)?|kms_secrets?|s3_(bucket_)?objects?|ecr_authorization_token|eks_cluster_auth|rds_cluster_snapshot_password)$/;
/** Attributes that the provider reads from the disk of the runner. */
const DISK_ATTRIBUTES: readonly RegExp[] = [
  /^aws_lambda_(function|layer_version)\.filename$/,
  /^aws_s3_(bucket_)?object\.source$/,
  /\.(user_data_replace_file|private_key_file|source_file|output_path)$/,
];
/** With comments between the name and its bracket, too. */
const FILE_FUNCTION =
  /\b(file\w*|templatefile|templatestring|pathexpand|abspath)(?:\s|\/\*[\s\S]*?\*\/|(?:#|\/\/)[^\n]*\n)*\(/;
const PROVIDER_FUNCTION = /\bprovider(?:\s|\/\*[\s\S]*?\*\/)*::/;

/** All refusals in one document; none for what our own synthesis writes. */
export function checkRefusals(document: JsonObject, own: OwnGround): StackFinding[] {
  return [
    ...foreignKeys(document, TOP_KEYS, ""),
    ...checkTerraform(document.terraform, own),
    ...checkProviders(document.provider),
    ...["resource", "data"].flatMap((kind) => checkShape(document[kind], kind)),
    ...elementsOf(document, "resource").flatMap(checkResource),
    ...elementsOf(document, "data").flatMap((element) => checkData(element, own)),
    ...checkTexts(document, ""),
  ];
}

function foreignKeys(value: JsonObject, known: ReadonlySet<string>, at: string): StackFinding[] {
  return Object.keys(value)
    .filter((key) => !known.has(key))
    .map((key) => ({
      at: at === "" ? key : `${at}.${key}`,
      message: `is refused: expected ${[...known].filter((one) => one !== "//").join(", ")}`,
    }));
}

function checkTerraform(value: Json | undefined, own: OwnGround): StackFinding[] {
  const at = "terraform";
  if (!isJsonObject(value)) return [{ at, message: "is refused: expected one block" }];
  return [
    ...foreignKeys(value, TERRAFORM_KEYS, at),
    ...checkRequired(value.required_providers),
    ...expectExactly(value.backend, own.backend, `${at}.backend`),
  ];
}

/** One provider, one exact version: the lock file decides which bytes that is. */
function checkRequired(value: Json | undefined): StackFinding[] {
  const at = "terraform.required_providers";
  if (!isJsonObject(value)) return [{ at, message: "is refused: expected the provider aws" }];
  const { aws, ...others } = value;
  const foreign = Object.keys(others).map((name) => ({
    at: `${at}.${name}`,
    message: "is refused: no other provider than aws runs with our credentials",
  }));
  const isOurs =
    isJsonObject(aws) &&
    SOURCES.some((source) => source === aws.source) &&
    typeof aws.version === "string" &&
    /^\d+\.\d+\.\d+$/.test(aws.version) &&
    Object.keys(aws).length === 2;
  if (isOurs) return foreign;
  const message = "is refused: expected source hashicorp/aws and one exact version";
  return [...foreign, { at: `${at}.aws`, message }];
}

function checkProviders(value: Json | undefined): StackFinding[] {
  if (value === undefined) return [];
  if (!isJsonObject(value)) return [{ at: "provider", message: "is refused: expected an object" }];
  return Object.entries(value).flatMap(([name, items]) => {
    const at = `provider.${name}`;
    if (name !== "aws")
      return [{ at, message: "is refused: no other provider than aws runs with our credentials" }];
    return (Array.isArray(items) ? items : [items]).flatMap((item, index) =>
      isJsonObject(item)
        ? foreignKeys(item, PROVIDER_KEYS, `${at}[${index}]`)
        : [{ at: `${at}[${index}]`, message: "is refused: expected an object" }],
    );
  });
}

/** Terraform reads lists here, too; our checks do not, and what they do not read they must not let pass. */
function checkShape(value: Json | undefined, kind: string): StackFinding[] {
  if (value === undefined) return [];
  if (!isJsonObject(value)) return [{ at: kind, message: "is refused: expected an object" }];
  return Object.entries(value).flatMap(([type, named]) => {
    const at = `${kind}.${type}`;
    if (!isJsonObject(named)) return [{ at, message: "is refused: expected an object" }];
    return Object.entries(named)
      .filter(([, body]) => !isJsonObject(body))
      .map(([name]) => ({ at: `${at}.${name}`, message: "is refused: expected an object" }));
  });
}

interface Element {
  readonly at: string;
  readonly type: string;
  readonly name: string;
  readonly body: JsonObject;
}

function checkResource({ at, type, body }: Element): StackFinding[] {
  const foreign = type.startsWith("aws_")
    ? []
    : [{ at, message: "is refused: expected a resource of aws" }];
  const programs = RUNS_PROGRAMS.filter((key) => Object.hasOwn(body, key)).map((key) => ({
    at: `${at}.${key}`,
    message: "is refused: it runs programs where the credentials are",
  }));
  return [...foreign, ...programs, ...checkDisk({ at, type, body })];
}

function checkDisk({ at, type, body }: Omit<Element, "name">): StackFinding[] {
  return Object.keys(body)
    .filter((key) => DISK_ATTRIBUTES.some((form) => form.test(`${type}.${key}`)))
    .map((key) => ({ at: `${at}.${key}`, message: "is refused: it reads a file of the runner" }));
}

function checkData({ at, type, name, body }: Element, own: OwnGround): StackFinding[] {
  if (type === REMOTE_STATE) {
    const expected = Object.hasOwn(own.states, name) ? own.states[name]! : null;
    if (expected === null)
      return [
        { at, message: `is refused: expected a state of ${Object.keys(own.states).join(", ")}` },
      ];
    const { "//": _, ...asked } = body;
    return expectExactly(asked, expected, at);
  }
  if (!type.startsWith("aws_"))
    return [{ at, message: "is refused: it may run programs or call anybody" }];
  if (TELLING_DATA.test(type))
    return [{ at, message: "is refused: it runs code, or puts values into the plan" }];
  return [];
}

function expectExactly(found: Json | undefined, expected: JsonObject, at: string): StackFinding[] {
  if (canonicalJson(found ?? null) === canonicalJson(expected)) return [];
  return [{ at, message: `is refused: expected exactly ${canonicalJson(expected)}` }];
}

/** Functions that read files, in any expression of any text. Keys may hold expressions as well. */
function checkTexts(value: Json | undefined, at: string): StackFinding[] {
  if (typeof value === "string") return checkText(value, at);
  if (Array.isArray(value))
    return value.flatMap((item, index) => checkTexts(item, `${at}[${index}]`));
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const place = at === "" ? key : `${at}.${key}`;
    return [...checkText(key, place), ...checkTexts(item, place)];
  });
}

function checkText(text: string, at: string): StackFinding[] {
  if (!/[$%]\{/.test(text)) return [];
  if (FILE_FUNCTION.test(text))
    return [{ at, message: "is refused: the expression reads a file of the runner" }];
  if (PROVIDER_FUNCTION.test(text))
    return [{ at, message: "is refused: the expression calls a function of a provider" }];
  return [];
}
