/** Every kind of job that this program knows: internal ones, any system's, and those of the workload. */
import { KindRegistry } from "../job/kinds.js";
import { INTERNAL_KIND_SPECS } from "../job/payloads.js";
import { SYSTEM_KINDS } from "../runtime/handler/system-kinds.js";
import { WORKLOAD } from "./workload.js";

export function createRegistry(): KindRegistry {
  return new KindRegistry([...INTERNAL_KIND_SPECS, ...SYSTEM_KINDS, ...WORKLOAD.kinds]);
}
