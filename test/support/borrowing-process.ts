/** A child that borrows: it registers, and says on its descriptor 1 whose credentials it got, each time it is asked for them. */
import { systemClock } from "../../src/base/clock.js";
import { toFault } from "../../src/base/fault.js";
import { createBorrower } from "../../src/runtime/borrower.js";
import { parentLink } from "../../src/runtime/parent-link.js";

const link = parentLink();
const borrower = createBorrower(link, systemClock);
link.tellRegistered("general-worker-1");

let said: string;
try {
  const lent = await borrower.github(new AbortController().signal);
  said = `${lent.scope} ${lent.token.reveal()} ${lent.token}`;
} catch (error) {
  said = toFault(error).code;
}
process.stdout.write(`${said}\n${process.env.GITHUB_TOKEN ?? "none"} in the environment\n`);
link.release();
