/** Where this round has not arrived yet. */
import { Fault } from "./fault.js";

export function notBuilt(what: string): never {
  throw new Fault("critical", "NOT_BUILT", `${what} is not built yet`);
}
