/** Every kind of job that this program knows: the internal ones, and those of the workload. */
import { KindRegistry } from "../job/kinds.js";
import { INTERNAL_KIND_SPECS } from "../job/payloads.js";
import { WORKLOAD_KINDS } from "../workload/payloads.js";

export function createRegistry(): KindRegistry {
  return new KindRegistry([...INTERNAL_KIND_SPECS, ...WORKLOAD_KINDS]);
}
