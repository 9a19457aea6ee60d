/** Terraform as this command line reaches it: with the credentials and variables of our environment, and nothing else. */
import { createShell } from "../../adapter/shell.js";
import { createTerraform, type Terraform } from "../../adapter/terraform.js";
import type { CommandIo } from "../command.js";

/** Values go by the environment, never by arguments: those stand in every list of processes. */
const HANDED_ON = /^(AWS_|TF_|CHECKPOINT_DISABLE$|HTTPS?_PROXY$|NO_PROXY$|SSL_CERT_FILE$)/;
/** An apply comes to its own end before GitHub ends its job (75 minutes). */
const DEADLINE_MS = 50 * 60_000;

/** `ending`: aborted, Terraform is interrupted and waited for. */
export function openTerraform(io: Pick<CommandIo, "env">, ending?: AbortSignal): Terraform {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  return createTerraform({
    // Its answers are read as JSON and judged, never printed.
    shell: createShell({ redact: (text) => text, path: io.env.PATH }),
    signal: ending === undefined ? deadline : AbortSignal.any([deadline, ending]),
    env: handedOn(io.env),
  });
}

function handedOn(env: CommandIo["env"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value !== undefined && HANDED_ON.test(name) ? [[name, value]] : [],
    ),
  );
}
