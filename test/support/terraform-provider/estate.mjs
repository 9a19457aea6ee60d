/**
 * The cloud of the stand-in provider: one JSON file. Tests edit it between two commands of Terraform, as a person
 * with the console would.
 *
 * @typedef {object} Estate
 * @property {Record<string, Record<string, any>>} resources state by `type/import id`
 * @property {Record<string, number>} counters numbers given out so far, e.g. by `type/family`: AWS never gives a revision twice
 * @property {string[]} failing keys of resources whose reading fails
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/**
 * @param {string} file
 * @returns {Estate}
 */
export function readEstate(file) {
  const stored = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  return { resources: {}, counters: {}, failing: [], ...stored };
}

/**
 * Read, changed and written in one step: Terraform asks for ten resources at a time, and one provider process
 * serves them all.
 * @template T
 * @param {string} file
 * @param {(estate: Estate) => T} change
 * @returns {T}
 */
export function changeEstate(file, change) {
  const estate = readEstate(file);
  const result = change(estate);
  // Never half a file, should Terraform end us meanwhile.
  writeFileSync(`${file}.new`, `${JSON.stringify(estate, null, 1)}\n`);
  renameSync(`${file}.new`, file);
  return result;
}

/**
 * Where the making of a type stands still until its row is gone, before or after it exists; `lost`: it exists, and the
 * answer says that it failed. A file of its own, which only the test writes: the estate is being written meanwhile.
 * @param {string} file the estate's
 * @param {string} type
 * @returns {"before" | "after" | "lost" | undefined}
 */
export function stopOf(file, type) {
  const stops = `${file}.stops`;
  return existsSync(stops) ? JSON.parse(readFileSync(stops, "utf8"))[type] : undefined;
}

/** @param {string} file the estate's @param {string} type */
export function tellStopped(file, type) {
  appendFileSync(`${file}.stopped`, `${type}\n`);
}
