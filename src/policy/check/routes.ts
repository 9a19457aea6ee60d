/** Receivers have what their kind needs, and the runtime names those that there are. */
import type { Problem } from "../../base/problem.js";
import {
  descend,
  type Entry,
  entriesOf,
  itemsOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { checkName } from "./name.js";

export const RECEIVER = { what: "receiver", where: "policies/routes.yaml" };

/** What a kind of receiver needs, and has no use for. */
const RECEIVER_KEYS: Readonly<Record<string, string | null>> = {
  slack: "channel",
  webhook: "url",
  pagerduty: null,
  email: "to",
};

const OWN_KEYS: readonly string[] = ["channel", "url", "to"];

export function checkRoutes(tree: PolicyTree): Problem[] {
  const routes = tree.get("routes");
  const receivers = descend(routes, "receivers");
  const runtime = entriesOf(descend(routes, "runtimeReceivers")).flatMap(([, entry]) =>
    itemsOf(entry.node),
  );
  return [
    ...entriesOf(receivers).flatMap(([, entry]) => checkReceiver(entry)),
    ...runtime.flatMap((node) => checkName(node, receivers, RECEIVER)),
  ];
}

function checkReceiver({ key, node }: Entry): Problem[] {
  const kind = textOf(descend(node, "kind"));
  const needed = RECEIVER_KEYS[kind ?? ""];
  if (needed === undefined) return [];
  const receiver = `${kind === "email" ? "an" : "a"} ${kind} receiver`;
  const unused = entriesOf(node).filter(([name]) => OWN_KEYS.includes(name) && name !== needed);
  const missing = needed !== null && descend(node, needed) === undefined;
  return [
    ...(missing ? [problemAt(key, `missing key "${needed}", which ${receiver} needs`)] : []),
    ...unused.map(([name, entry]) =>
      problemAt(entry.key, `found "${name}", which ${receiver} does not use`),
    ),
  ];
}
