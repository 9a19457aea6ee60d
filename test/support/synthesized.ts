/** Synthesizes into a folder of its own and hands out what was written. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { elementsOf } from "../../stacks/schema-check.js";
import { type Synthesis, synthesize } from "../../stacks/synth.js";

export interface Synthesized {
  readonly synthesis: Synthesis;
  /** Raw text by stack name: for comparing bytes. */
  readonly texts: Readonly<Record<string, string>>;
  /** All stacks, parsed, by stack name. */
  readonly documents: Readonly<Record<string, JsonObject>>;
  /** One resource of any stack; fails by name when there is none. */
  resource(type: string, name: string): JsonObject;
  /** Every resource of a type, by logical id. */
  resources(type: string): Readonly<Record<string, JsonObject>>;
}

export async function synthesized(policy: PolicySet): Promise<Synthesized> {
  const outDir = await mkdtemp(join(tmpdir(), "algobrain-synth-"));
  try {
    const synthesis = await synthesize({ policy, outDir });
    const texts: Record<string, string> = {};
    for (const { name, file } of synthesis.stacks) texts[name] = await readFile(file, "utf8");
    return view(synthesis, texts, basename(outDir));
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

function view(synthesis: Synthesis, texts: Record<string, string>, folder: string): Synthesized {
  const documents = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, parseObject(text, `${folder}/${name}`)]),
  );
  const elements = Object.values(documents).flatMap((document) => elementsOf(document, "resource"));
  const resources = (type: string) =>
    Object.fromEntries(elements.filter((e) => e.type === type).map((e) => [e.name, e.body]));
  return {
    synthesis,
    texts,
    documents,
    resources,
    resource: (type, name) => {
      const found = resources(type)[name];
      if (found === undefined)
        throw new Error(`no ${type}.${name}; there is ${Object.keys(resources(type)).join(", ")}`);
      return found;
    },
  };
}

function parseObject(text: string, where: string): JsonObject {
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) throw new Error(`${where}: not a JSON object`);
  return value;
}
