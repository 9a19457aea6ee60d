/** `policy publish`: the policies of one environment, signed, to where its runtime finds them. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { systemClock } from "../../base/clock.js";
import { openBundlePlace } from "../../main/bundle-place.js";
import { openSigner } from "../../main/signing.js";
import { type Published, publishBundle } from "../../runtime/publish-bundle.js";
import type { SigningKey } from "../../runtime/signing-key.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openConfig } from "../settings.js";
import { BUNDLE_OPTIONS, type MadeBundle, makeBundleFrom } from "./bundle.js";

const OPTIONS = {
  ...BUNDLE_OPTIONS,
  to: { type: "string" },
  commit: { type: "string" },
  "if-kinds": { type: "string", default: "all" },
  "token-file": { type: "string" },
} as const;

/** Reading, signing and putting together. */
const PUBLISH_TIMEOUT_MS = 60_000;

export async function runPublish(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const request = {
    to: asPlace(values.to),
    commit: asCommit(values.commit),
    runtimeKindsOnly: oneOf("--if-kinds", values["if-kinds"], ["runtime", "all"]) === "runtime",
    tokenFile: values["token-file"],
  };
  const made = await makeBundleFrom(values, io);
  if (made === null) return EXIT_FAILED;
  const { published, key, place } = await publish(made, request, io);
  if (values.json) io.out(JSON.stringify({ ...published, key: key.publicKey, place }));
  else io.out(sentenceOf(published, key, place));
  return EXIT_OK;
}

interface PublishRequest {
  readonly to: string;
  readonly commit: string | null;
  readonly runtimeKindsOnly: boolean;
  readonly tokenFile: string | undefined;
}

interface Outcome {
  readonly published: Published;
  readonly key: SigningKey;
  readonly place: string;
}

async function publish(
  { bundle, set }: MadeBundle,
  request: PublishRequest,
  io: CommandIo,
): Promise<Outcome> {
  const config = await openConfig(io);
  const { region } = set.infrastructure;
  const signal = AbortSignal.timeout(PUBLISH_TIMEOUT_MS);
  const place = await openBundlePlace(request.to, config, {
    ...{ cwd: io.cwd, region },
    token: () => readToken(request.tokenFile, io),
  });
  const key = await openSigner(config, { environment: bundle.environment, region }, signal);
  const publishing = {
    ...{ place, signer: key.signer, runtimeKindsOnly: request.runtimeKindsOnly },
    trusted: [key.publicKey, ...config.policyTrust.keys],
    now: () => systemClock.now(),
  };
  const published = await publishBundle(publishing, bundle, request.commit, signal);
  return { published, key, place: place.name };
}

/** From a file and never from the command line, where every user of the machine would see it. */
async function readToken(path: string | undefined, io: CommandIo): Promise<string> {
  if (path === undefined) {
    throw new UsageError("--token-file is missing: a file with an admin's token for the API");
  }
  return (await readFile(resolve(io.cwd, path), "utf8")).trim();
}

function asPlace(to: string | undefined): string {
  if (to !== undefined) return to;
  throw new UsageError("--to is missing, expected a folder, s3://bucket/key or api:https://host");
}

function asCommit(commit: string | undefined): string | null {
  if (commit === undefined || /^[0-9a-f]{7,64}$/.test(commit)) return commit ?? null;
  throw new UsageError(`--commit: found "${commit}", expected the hash of a commit`);
}

function sentenceOf(published: Published, key: SigningKey, place: string): string {
  switch (published.outcome) {
    case "unchanged":
      return `revision ${published.revision} at ${place} says the same already: nothing published`;
    case "after-apply":
      return `infrastructure changes (${published.differs.join(", ")}): publish after their apply`;
    case "published": {
      const version = published.version === null ? "" : ` (version ${published.version})`;
      return `revision ${published.revision} published to ${place}${version}, signed by ${key.publicKey.id}`;
    }
  }
}
