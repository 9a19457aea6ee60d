// Derives a small AWS provider schema from the installed bindings, for just the types that stacks/
// imports, in the form of `terraform providers schema -json`. The generated classes carry it: their
// HCL metadata says names and types, their declarations what is required, their comments what is
// read-only, their getters the types of that. What no binding tells: how many items a repeated block may
// have (one or many is known), what is sensitive, and which settable arguments the provider computes
// when nobody sets them; scripts/provider-computed.json says the last, as far as it was looked up.
//
//   node scripts/provider-schema.mjs            writes stacks/aws-schema.generated.json
//   node scripts/provider-schema.mjs --check    exit 1 when that file is stale
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, "stacks", "aws-schema.generated.json");
const bindings = dirname(
  createRequire(import.meta.url).resolve("@cdktf/provider-aws/package.json"),
);

/** Hundreds of keys that only point the provider at other servers. */
const LEFT_OUT = new Set(["endpoints"]);

/** Settable, and computed when not set, in every type that has them. */
const COMPUTED_EVERYWHERE = new Set(["id", "region", "tags_all"]);
const computedToo = JSON.parse(
  readFileSync(join(root, "scripts", "provider-computed.json"), "utf8"),
);

const PLAIN_TYPES = { string: "string", number: "number", boolean: "bool", any: "dynamic" };
const COLLECTIONS = {
  stringList: (kind) => [kind, "string"],
  numberList: (kind) => [kind, "number"],
  booleanList: (kind) => [kind, "bool"],
  stringMap: () => ["map", "string"],
  numberMap: () => ["map", "number"],
  booleanMap: () => ["map", "bool"],
};

/** How a member is read, and so its type; `Fn.tolist` around it means a set. */
const GETTERS = {
  getStringAttribute: "string",
  getNumberAttribute: "number",
  getBooleanAttribute: "bool",
  getListAttribute: ["list", "string"],
  getNumberListAttribute: ["list", "number"],
  getStringMapAttribute: ["map", "string"],
  getNumberMapAttribute: ["map", "number"],
  getBooleanMapAttribute: ["map", "bool"],
  StringMap: ["map", "string"],
  NumberMap: ["map", "number"],
  BooleanMap: ["map", "bool"],
};

/** Folder names of the bindings that stacks/ imports. */
function foldersInUse() {
  const folders = new Set(["provider"]);
  for (const file of readdirSync(join(root, "stacks")).filter((name) => name.endsWith(".ts"))) {
    const text = readFileSync(join(root, "stacks", file), "utf8");
    for (const [, folder] of text.matchAll(/from "#aws\/([^"]+)"/g)) folders.add(folder);
  }
  return [...folders].sort();
}

/** What one generated file says, by class and by struct. */
function readBinding(folder) {
  const read = (file) => readFileSync(join(bindings, "lib", folder, file), "utf8").split("\n");
  const lines = read("index.js");
  const structs = readStructs(lines);
  const classes = readClasses(lines);
  const required = readRequired(read("index.d.ts"));
  const type = lines.join("\n").match(/\.tfResourceType = "([^"]+)"/)?.[1];
  if (type === undefined) throw new Error(`${folder}: no tfResourceType in its generated class`);
  return { type, structs, classes, required, isProvider: folder === "provider" };
}

/** `Interface.property` of every property without a question mark. */
function readRequired(lines) {
  const required = new Set();
  let owner = null;
  for (const line of lines) {
    const start = line.match(/^export interface (\w+)/);
    if (start) owner = start[1];
    const property = line.match(/^ {4}readonly (\w+): /);
    if (property && owner !== null) required.add(`${owner}.${property[1]}`);
    if (line === "}") owner = null;
  }
  return required;
}

/** `…ToHclTerraform(struct)` functions and `synthesizeHclAttributes()` methods: name → type. */
function readStructs(lines) {
  const structs = new Map();
  let owner = null;
  let name = null;
  for (const line of lines) {
    const start =
      line.match(/^function (\w+)ToHclTerraform\(struct\)/) ?? line.match(/^class (\w+) extends/);
    if (start) owner = start[1].charAt(0).toUpperCase() + start[1].slice(1);
    const key = line.match(/^\s+(\w+): \{$/);
    if (key) name = key[1];
    const fact =
      line.match(/^\s+(isBlock|type|storageClassType): "?(\w+)"?,$/) ??
      line.match(/^\s+(value): .*\((?:struct\.|this\._)(\w+)(?:\.internalValue)?\),$/);
    if (!fact || name === null || owner === null) continue;
    const fields = structs.get(owner) ?? new Map();
    structs.set(owner, fields.set(name, { ...fields.get(name), [fact[1]]: fact[2] }));
  }
  return structs;
}

/** By class, its members: the flags of their `// name - computed: …` comments, and how they are read. */
function readClasses(lines) {
  const classes = new Map();
  let members = new Map();
  for (const line of lines) {
    const start = line.match(/^class (\w+) extends/);
    if (start) {
      members = new Map();
      classes.set(start[1], members);
    }
    const flags = line.match(
      /\/\/ (\w+) - computed: (true|false), optional: (true|false), required: (true|false)/,
    );
    if (flags) {
      const [, name, computed, optional, required] = flags;
      const settable = optional === "true" || required === "true";
      members.set(name, { computed: computed === "true", settable });
    }
    const read = readAccess(line);
    if (members.has(read?.name)) Object.assign(members.get(read.name), read);
  }
  return classes;
}

/** `new XList(this, "name", true)`, `cdktf.Fn.tolist(this.getListAttribute('name'))` and their like. */
function readAccess(line) {
  const made = line.match(/ = new (?:cdktf\.)?(\w+)\(this, "(\w+)"(?:, (true|false))?\)/);
  if (made) return { name: made[2], reader: made[1], isSet: made[3] === "true" };
  const got = line.match(/return .*this\.(get\w+Attribute)\('(\w+)'\)/);
  return got ? { name: got[2], reader: got[1], isSet: line.includes("Fn.tolist(") } : null;
}

/** One block: the members of its class, the types of its struct, the needs of its interface. */
function block(binding, { className, structName, interfaceName, path = "" }) {
  const members = binding.classes.get(className) ?? new Map();
  const fields = binding.structs.get(structName) ?? new Map();
  const attributes = {};
  const blocks = {};
  for (const name of [...new Set([...members.keys(), ...fields.keys()])].sort()) {
    const field = fields.get(name);
    const member = members.get(name);
    if (LEFT_OUT.has(name)) continue;
    if (field === undefined) {
      if (member.computed && !member.settable)
        attributes[name] = { computed: true, type: memberType(binding, member) };
      continue;
    }
    const needed = binding.required.has(`${interfaceName}.${field.value}`);
    const at = `${path}${name}`;
    const computed = member?.computed === true || isComputedToo(binding, at);
    // What a person writes as a block, and the provider computes, is an attribute that holds objects.
    if (field.isBlock === "true" && !(field.storageClassType in COLLECTIONS) && !computed) {
      blocks[name] = nestedBlock(binding, field, { needed, single: isSingle(member), at });
    } else {
      const type = field.isBlock === "true" ? memberType(binding, member) : attributeType(field);
      attributes[name] = {
        ...(computed ? { computed: true } : {}),
        [needed ? "required" : "optional"]: true,
        type,
      };
    }
  }
  return {
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
    ...(Object.keys(blocks).length > 0 ? { block_types: blocks } : {}),
  };
}

function isComputedToo({ type, isProvider }, at) {
  if (isProvider) return false;
  return COMPUTED_EVERYWHERE.has(at) || computedToo[type]?.includes(at) === true;
}

function isSingle(member) {
  return member?.reader?.endsWith("OutputReference") === true;
}

/** Type of a member by how it is read: a plain getter, or a list class whose items are objects. */
function memberType(binding, { reader, isSet }) {
  const plain = GETTERS[reader];
  if (plain !== undefined) return isSet && Array.isArray(plain) ? ["set", plain[1]] : plain;
  const name = reader?.replace(/List$/, "");
  const items = binding.classes.get(`${name}OutputReference`);
  if (items === undefined) return "dynamic";
  // Of what may be written the getters are without comments, and the struct has the types.
  const settable = [...(binding.structs.get(name) ?? [])].map(([key, field]) => [
    key,
    attributeType(field),
  ]);
  const readOnly = [...items].map(([key, member]) => [key, memberType(binding, member)]);
  const fields = [...settable, ...readOnly].sort(([a], [b]) => (a < b ? -1 : 1));
  const object = Object.fromEntries(fields);
  return [isSet ? "set" : "list", ["object", object]];
}

function nestedBlock(binding, field, { needed, single, at }) {
  const struct = field.storageClassType.replace(/List$/, "");
  return {
    nesting_mode: field.type === "struct" ? "single" : field.type,
    ...(needed ? { min_items: 1 } : {}),
    ...(single && field.type !== "struct" ? { max_items: 1 } : {}),
    block: block(binding, {
      className: `${struct}OutputReference`,
      structName: struct,
      interfaceName: struct,
      path: `${at}.`,
    }),
  };
}

function attributeType({ type, storageClassType }) {
  const plain = PLAIN_TYPES[storageClassType];
  if (plain !== undefined) return plain;
  const collection = COLLECTIONS[storageClassType];
  if (collection === undefined) return "dynamic";
  return collection(type);
}

function derive() {
  const schema = { provider: {}, resource_schemas: {}, data_source_schemas: {} };
  for (const folder of foldersInUse()) {
    const binding = readBinding(folder);
    const name = [...binding.classes.keys()].at(-1);
    const entry = {
      block: block(binding, { className: name, structName: name, interfaceName: `${name}Config` }),
    };
    if (folder === "provider") schema.provider = entry;
    else if (folder.startsWith("data-")) schema.data_source_schemas[binding.type] = entry;
    else schema.resource_schemas[binding.type] = entry;
  }
  return `${JSON.stringify(schema)}\n`;
}

const fresh = derive();
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== fresh) {
    console.error(
      "stacks/aws-schema.generated.json is stale: run node scripts/provider-schema.mjs",
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, fresh);
  console.log(`wrote stacks/aws-schema.generated.json, ${fresh.length} characters`);
}
