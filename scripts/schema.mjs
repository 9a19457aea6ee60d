// Writes policies/schema/*.schema.json, which editors use, from the schemas in src/policy.
// Run with `npm run schema`; a test fails while the committed files are not what this writes.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { policySchemas } from "../dist/src/policy/json-schema.js";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "policies", "schema");
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(policySchemas()))
  writeFileSync(join(folder, name), `${JSON.stringify(schema, null, 2)}\n`);
