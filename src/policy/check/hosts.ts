/** Names that people call, and certificates that AWS would take for them. */
import type { Problem } from "../../base/problem.js";
import { descend, type Node, problemAt, textOf } from "../tree.js";
import { show } from "./shape.js";

/** CloudFront reads certificates of this region alone. */
const CLOUDFRONT_REGION = "us-east-1";

export function checkHosts(estate: Node): Problem[] {
  const site = descend(estate, "frontend");
  const isServed = !isOff(descend(site, "enabled")) && !isOff(descend(site, "cdn"));
  const region = textOf(descend(estate, "region"));
  return [
    ...checkNamed(estate, "api"),
    ...(isServed ? checkNamed(estate, "frontend") : []),
    ...checkCertificate(descend(estate, "api", "certificateArn"), region, "the balancer's region"),
    ...(isServed
      ? checkCertificate(descend(site, "certificateArn"), CLOUDFRONT_REGION, "all CloudFront takes")
      : []),
  ];
}

function isOff(node: Node | undefined): boolean {
  return node?.kind === "scalar" && node.value === false;
}

/** No authority gives a certificate for the name that holds where nobody has written one. */
function checkNamed(estate: Node, part: "api" | "frontend"): Problem[] {
  const account = descend(estate, "account");
  if (!account || descend(estate, part, "host")) return [];
  return [
    problemAt(
      account.place,
      `found an account and no ${part}.host, for which a certificate could be made`,
      `write the name that people call under infrastructure.${part}`,
    ),
  ];
}

function checkCertificate(
  node: Node | undefined,
  region: string | undefined,
  whose: string,
): Problem[] {
  const found = textOf(node)?.split(":")[3];
  if (!node || found === undefined || region === undefined || found === region) return [];
  return [problemAt(node.place, `found ${show(node)} of ${found}, expected ${region}: ${whose}`)];
}
