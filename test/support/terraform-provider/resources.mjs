/**
 * What no schema says about a resource: by what it is known, and which change needs a new one. The tables come
 * from the suite (test/support/terraform-facts.ts) in the facts file.
 *
 * @typedef {object} Identity
 * @property {string} key template over the attributes, e.g. `{cluster|last}/{name}`: the name people use
 * @property {"key" | "arn" | "id"} importBy what `terraform import` asks for
 * @property {"arn"} [id] where the attribute `id` is the ARN although it is imported by key
 * @property {string} [prefix] of a made-up id, e.g. `vpc`
 *
 * @typedef {Record<string, any>} Body
 */
import { createHash } from "node:crypto";
import { isUnknown } from "./msgpack.mjs";
import { isSame } from "./values.mjs";

const ACCOUNT = "123456789012";
const REGION = "us-east-1";
const EVERY_ATTRIBUTE = "*";
/** Changed in place even where every other attribute is fixed. */
const ALWAYS_IN_PLACE = new Set(["tags", "tags_all", "id", "arn", "skip_destroy", "track_latest"]);

/** @type {Identity} */
const BY_CONTENT = { key: "", importBy: "id" };

/** @param {Record<string, Identity>} identities @param {string} type */
function identityOf(identities, type) {
  return identities[type] ?? BY_CONTENT;
}

/**
 * What `terraform import` calls a resource that exists.
 * @param {Record<string, Identity>} identities
 * @param {string} type
 * @param {Body} state
 * @returns {string}
 */
export function importIdOf(identities, type, state) {
  const { importBy, key } = identityOf(identities, type);
  const filled = importBy === "key" ? fill(key, state) : null;
  // A few types that are imported by ARN have no attribute of that name: their id is it.
  return filled ?? String((importBy === "arn" ? state.arn : null) ?? state.id);
}

/**
 * A maker of the identifying attributes of a new resource, the same each time for the same plan.
 * @param {Record<string, Identity>} identities
 * @param {string} type
 * @param {Body} plannedState
 * @param {(what: string) => number} nextNumber counts up for each `what`, from 1
 * @returns {(name: string) => unknown}
 */
export function identityMaker(identities, type, plannedState, nextNumber) {
  const identity = identityOf(identities, type);
  const known = { ...plannedState };
  if ("revision" in known) {
    known.revision = nextNumber(`${type}/${known.family}`);
    known.arn_without_revision = arnOf(type, String(known.family));
  }
  // A tag is no name to AWS: two networks may bear the same.
  const nth = identity.key.includes("{tags.") ? nextNumber(type) : 0;
  const key = (nth === 0 ? fill(identity.key, known) : null) ?? hashOf({ ...known, nth });
  const arn = arnOf(type, key);
  const made = `${identity.prefix ?? type.split("_").at(-1)}-${hashOf(`${type}/${key}`)}`;
  const id = { key, arn, id: made }[identity.id ?? identity.importBy];
  /** @type {Body} */
  const values = {
    ...knownOnly(known),
    id,
    arn,
    account_id: ACCOUNT,
    owner_id: ACCOUNT,
    region: REGION,
  };
  return (name) => values[name];
}

/** @param {Body} state */
function knownOnly(state) {
  return Object.fromEntries(
    Object.entries(state).filter(([, value]) => value !== null && !isUnknown(value)),
  );
}

/**
 * `{name}` is an attribute, `{tags.Name}` one inside it; `{cluster|last}` is what follows its last slash, for what may
 * be given as an ARN. Null when one of them is missing or not known yet.
 * @param {string} template
 * @param {Body} body
 */
function fill(template, body) {
  let isWhole = template !== "";
  const filled = template.replaceAll(/\{([\w.]+)(\|last)?\}/g, (_, path, last) => {
    const value = path.split(".").reduce((inside, name) => inside?.[name], body);
    if (value === null || value === undefined || isUnknown(value)) isWhole = false;
    return last ? String(value).split("/").at(-1) : String(value);
  });
  return isWhole ? filled : null;
}

/** @param {string} type @param {string} key */
function arnOf(type, key) {
  const [, service = "aws", ...rest] = type.split("_");
  return `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest.join("-")}/${key}`;
}

/** @param {unknown} value */
function hashOf(value) {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 17);
}

/**
 * The attributes whose change needs a new resource.
 * @param {Record<string, string>} fixed reasons by attribute; `*` for all
 * @param {Body | null} prior
 * @param {Body} next
 * @returns {string[]}
 */
export function replacedBy(fixed, prior, next) {
  if (prior === null) return [];
  const names = EVERY_ATTRIBUTE in fixed ? Object.keys(next) : Object.keys(fixed);
  return names.filter((name) => !ALWAYS_IN_PLACE.has(name) && !isSame(prior[name], next[name]));
}
