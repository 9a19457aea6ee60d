/**
 * The cloud of the stand-in provider: one JSON file. Tests edit it between two commands of Terraform, as a person
 * with the console would.
 *
 * @typedef {object} Estate
 * @property {Record<string, Record<string, any>>} resources state by `type/import id`
 * @property {Record<string, number>} counters numbers given out so far, e.g. by `type/family`: AWS never gives a revision twice
 * @property {string[]} failing keys of resources whose reading fails
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

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
