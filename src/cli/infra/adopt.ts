/**
 * `infra adopt`: import blocks for what exists already, beside the synthesized stacks. It asks nobody and changes
 * nothing in AWS: the next plan shows what Terraform would take over.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { fault } from "../../base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import {
  type Adoption,
  type FoundResource,
  importFile,
  planAdoption,
} from "../../review/infra/adopt.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_OK } from "../command.js";
import { formatTable } from "../table.js";
import { findStackFolders, type StackFolder } from "./stack-folders.js";

const IMPORT_FILE = "imports.tf.json";
const ESTATE_FORM =
  'expected {"resources": [{"type": "aws_lb", "id": "arn:…", "name": "algobrain-prod"}]}';

export async function runAdopt(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, {
    env: { type: "string" },
    estate: { type: "string" },
    dir: { type: "string", default: "cdktf.out/stacks" },
    missing: { type: "boolean" },
  });
  if (values.env === undefined) throw new UsageError("--env is missing");
  if (values.estate === undefined) throw new UsageError("--estate is missing");
  const estate = await readEstate(resolve(io.cwd, values.estate));
  const folders = await findStackFolders(resolve(io.cwd, values.dir), values.env, null);
  const adoption = planAdoption(await readDocuments(folders), estate);
  for (const { part, folder } of folders)
    await writeImports(join(folder, IMPORT_FILE), adoption.imports[part] ?? []);
  tell(adoption, folders, io);
  if (values.missing === true) tellMissing(adoption, io);
  return EXIT_OK;
}

/** Of a person, or of a script that lists an account. Throws `ESTATE_INVALID` with every mistake. */
async function readEstate(file: string): Promise<FoundResource[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw fault.refused("ESTATE_UNREADABLE", `${file}: ${error.code ?? error.message}`);
  });
  const estate = parseJson(file, text);
  const listed = isJsonObject(estate) ? estate.resources : null;
  if (!Array.isArray(listed)) throw invalid(file, [`found no list of resources, ${ESTATE_FORM}`]);
  const problems = listed.flatMap((one, at) => (isFound(one) ? [] : [`resources.${at}`]));
  if (problems.length > 0) throw invalid(file, [`${problems.join(", ")}: ${ESTATE_FORM}`]);
  const found = listed
    .filter(isFound)
    .map(({ type, id, name }) => ({ type, id, name: name ?? null }));
  const twice = namesakes(found);
  if (twice.length > 0) throw invalid(file, twice);
  return found;
}

/** Two networks may bear the same name: which of them is ours, only a person can say. */
function namesakes(found: readonly FoundResource[]): string[] {
  const ids = new Map<string, string[]>();
  for (const { type, id, name } of found) {
    const called = `${type} "${name ?? id}"`;
    ids.set(called, [...(ids.get(called) ?? []), id]);
  }
  return [...ids]
    .filter(([, same]) => same.length > 1)
    .map(([called, same]) => `${same.join(" and ")} are both ${called}: list the one that is ours`);
}

function isFound(one: Json): one is { type: string; id: string; name?: string } {
  return (
    isJsonObject(one) &&
    typeof one.type === "string" &&
    typeof one.id === "string" &&
    one.id !== "" &&
    ["string", "undefined"].includes(typeof one.name)
  );
}

function parseJson(file: string, text: string): Json {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(file, [`no JSON: ${String(error)}`]);
  }
}

function invalid(file: string, problems: readonly string[]) {
  return fault.data("ESTATE_INVALID", problems.map((problem) => `${file}: ${problem}`).join("\n"));
}

async function readDocuments(folders: readonly StackFolder[]): Promise<Record<string, JsonObject>> {
  const documents: Record<string, JsonObject> = {};
  for (const { part, folder } of folders)
    documents[part] = JSON.parse(await readFile(join(folder, "cdk.tf.json"), "utf8"));
  return documents;
}

/** A block of an earlier adoption must not stay: Terraform would refuse the plan when its thing is gone. */
async function writeImports(file: string, blocks: Adoption["imports"][string]): Promise<void> {
  if (blocks.length === 0) await rm(file, { force: true });
  else await writeFile(file, importFile(blocks));
}

function tell(
  { imports, missing, unclaimed }: Adoption,
  folders: readonly StackFolder[],
  io: CommandIo,
): void {
  const rows = folders.map(({ part, folder }) => {
    const count = imports[part]?.length ?? 0;
    const made = missing.filter(({ stack }) => stack === part).length;
    const file = count === 0 ? "" : relative(io.cwd, join(folder, IMPORT_FILE));
    return [part, String(count), String(made), file];
  });
  for (const line of formatTable(["stack", "adopted", "to be made", "file"], rows)) io.out(line);
  for (const { type, id } of unclaimed)
    io.out(`not in any stack, stays outside Terraform: ${type} ${id}`);
}

/** By what name each is to be listed, should it exist after all. */
function tellMissing({ missing }: Adoption, io: CommandIo): void {
  for (const { stack, address, key } of missing) {
    const type = address.split(".")[0];
    const looked = key === null ? "is always made" : `looked for ${type} named "${key}"`;
    io.out(`to be made: ${stack} ${address}: ${looked}`);
  }
}
