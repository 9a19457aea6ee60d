/**
 * Makes JSON Schemas with typebox's types and none of its code: that is 500 small files, and every process of the
 * service and every command line would load them all for the few shapes below. test/base/type.test.ts holds these
 * to the library's own.
 */
import type { Type as Library } from "typebox";

type Shapes = Pick<
  typeof Library,
  | ("Array" | "Boolean" | "Enum" | "Integer" | "Literal" | "Null" | "Number" | "Object")
  | ("Optional" | "Partial" | "Record" | "String" | "Union" | "Unknown" | "Unsafe")
>;

type Schema = Readonly<Record<string, unknown>>;
type Properties = Readonly<Record<string, Schema>>;

/** As the library marks it: not to be seen where the schema is printed. */
const OPTIONAL = "~optional";
const ANY_KEY = "^.*$";

const make = (shape: Schema, options: Schema = {}): Schema => ({ ...shape, ...options });

function optional(schema: Schema): Schema {
  return Object.defineProperty({ ...schema }, OPTIONAL, { value: true });
}

function object(properties: Properties, options?: Schema): Schema {
  const required = Object.keys(properties).filter((key) => !(OPTIONAL in properties[key]!));
  const demand = required.length > 0 ? { required } : {};
  return make({ type: "object", ...demand, properties }, options);
}

/** Its options are those that are given here: none are inherited. */
function partial({ properties }: Schema, options?: Schema): Schema {
  const all = Object.entries(properties as Properties);
  return object(Object.fromEntries(all.map(([key, value]) => [key, optional(value)])), options);
}

function record(key: Schema, value: Schema, options?: Schema): Schema {
  const pattern = String(key.pattern ?? ANY_KEY);
  return make({ type: "object", patternProperties: { [pattern]: value } }, options);
}

/** An option of objects and records. Unknown keys are refused: a typing error is not a wish. */
export const closed = { additionalProperties: false } as const;

// What the compiler knows of a schema is the library's word: what is made here is no more than the JSON.
export const Type = {
  Array: (items: Schema, options?: Schema) => make({ type: "array", items }, options),
  Boolean: (options?: Schema) => make({ type: "boolean" }, options),
  Enum: (values: readonly unknown[], options?: Schema) => make({ enum: values }, options),
  Integer: (options?: Schema) => make({ type: "integer" }, options),
  Literal: (value: unknown, options?: Schema) =>
    make({ type: typeof value, const: value }, options),
  Null: (options?: Schema) => make({ type: "null" }, options),
  Number: (options?: Schema) => make({ type: "number" }, options),
  Object: object,
  Optional: optional,
  Partial: partial,
  Record: record,
  String: (options?: Schema) => make({ type: "string" }, options),
  Union: (anyOf: readonly Schema[], options?: Schema) => make({ anyOf }, options),
  Unknown: (options?: Schema) => make({}, options),
  Unsafe: (schema: Schema) => (OPTIONAL in schema ? optional(schema) : make(schema)),
} as unknown as Shapes;
