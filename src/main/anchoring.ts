/** Where the audit chain is anchored: AUDIT_ANCHOR, or a folder in the home, one a database. */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { createS3Anchors } from "../adapter/aws-s3-anchors.js";
import { systemClock } from "../base/clock.js";
import { errorMessage, fault } from "../base/fault.js";
import type { AnchorPlace } from "../runbook/port.js";
import { anchorAudit } from "../runtime/anchor-audit.js";
import { createAnchorFolder } from "../runtime/anchor-folder.js";
import type { Config } from "../runtime/config.js";
import type { AnchorTickDeps } from "../runtime/tick/anchor-audit.js";
import type { Foundation } from "./foundation.js";

/** A stop must not wait for S3 for longer than this. */
const LAST_ANCHOR_MS = 5_000;

/** Throws a refused Fault when the text names no place. */
export function openAnchorPlace(config: Config, cwd: string, text?: string): AnchorPlace {
  const to = text ?? config.auditAnchor;
  if (to === null || to === "") return createAnchorFolder(resolve(cwd, homeFolder(config)));
  const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(to) ?? [];
  if (bucket !== undefined) {
    return createS3Anchors({
      bucket,
      prefix: prefix.replace(/\/+$/, ""),
      region: config.overrides.region,
      endpointUrl: config.aws.endpointUrl,
      now: () => systemClock.now(),
    });
  }
  if (/^\w+:\/\//.test(to)) {
    throw fault.refused("ANCHOR_PLACE_UNKNOWN", `cannot anchor the audit log at "${to}"`, {
      hint: "set AUDIT_ANCHOR to a folder, or to s3://bucket/prefix with Object Lock on",
    });
  }
  return createAnchorFolder(resolve(cwd, to));
}

/** A home may serve several databases over time: what one of them was anchored with says nothing about another. */
function homeFolder({ home, database }: Config): string {
  if (database.url === null) return join(home, "anchors", "embedded");
  const { host, pathname } = new URL(database.url);
  const digest = createHash("sha256").update(`${host}${pathname}`).digest("hex");
  return join(home, "anchors", digest.slice(0, 12));
}

export function anchoringOf(foundation: Foundation): AnchorTickDeps {
  const { system } = foundation.policy();
  return { ...foundation, system, place: openAnchorPlace(foundation.config, process.cwd()) };
}

/** Of an orderly stop, so that as little as possible stands unanchored while nobody runs. */
export async function anchorAtTheEnd(foundation: Foundation): Promise<void> {
  try {
    await anchorAudit(anchoringOf(foundation), AbortSignal.timeout(LAST_ANCHOR_MS));
  } catch (thrown) {
    // The next start anchors; what is broken is told by it, too.
    foundation.log.warn("audit.unanchored", { error: errorMessage(thrown) });
  }
}
