/**
 * `infra build-image`: one service's image from this checkout, tagged with its commit and nothing else (HB-cli-07, X-20).
 * `--push` brings it to the registry, once: a tag that is there is never moved. With `--attempt 1`, the first of a job, there
 * can be none, and one that is there is refused.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createImageRegistry, type RegistryLogin } from "../../adapter/aws-registry.js";
import { createShell } from "../../adapter/shell.js";
import { fault } from "../../base/fault.js";
import { createRedact } from "../../base/redact.js";
import { SERVICES } from "../../policy/services.js";
import type { Shell } from "../../runbook/port.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_OK } from "../command.js";
import { openConfig } from "../settings.js";
import { POLICY_OPTIONS, policyOf } from "./policy-of.js";

const DOCKERFILE = join("infra", "docker", "Dockerfile");
const GIT_TIMEOUT_MS = 30_000;
const BUILD_TIMEOUT_MS = 30 * 60_000;
const OUTPUT_MAX_BYTES = 64 * 1024;
const COMPLAINT_MAX = 2_000;

export async function runBuildImage(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, {
    ...POLICY_OPTIONS,
    service: { type: "string" },
    push: { type: "boolean" },
    attempt: { type: "string", default: "2" },
  });
  if (values.service === undefined) throw new UsageError("--service is missing");
  const service = oneOf("--service", values.service, SERVICES);
  const policy = await policyOf(values, io);
  if (policy === null) return 1;
  const shell = createShell({ redact: createRedact([]), path: io.env.PATH });
  const commit = await cleanCommit(shell, io);
  const image = { service, repository: `${policy.system}-${service}`, commit };
  const isFirst = values.attempt === "1";
  if (values.push) return pushOnce(shell, image, policy.infrastructure.region, isFirst, io);
  await build(shell, image, [`${image.repository}:${commit}`], io);
  io.out(`${image.repository}:${commit}`);
  return EXIT_OK;
}

interface Image {
  readonly service: string;
  readonly repository: string;
  readonly commit: string;
}

/** The commit of what would be built. Throws a refused Fault when files differ from it: the tag would be a lie. */
async function cleanCommit(shell: Shell, io: CommandIo): Promise<string> {
  const git = async (...words: string[]) => runGit(shell, words, io);
  const changed = await git("status", "--porcelain", "--untracked-files=normal");
  if (changed !== "")
    throw fault.refused(
      "CHECKOUT_NOT_CLEAN",
      `files differ from the commit: ${changed.split("\n").length}, the first is ${changed.split("\n")[0]?.trim()}`,
      { hint: "commit them, or build in a clean checkout: an image is called by its commit" },
    );
  return git("rev-parse", "--verify", "HEAD");
}

async function runGit(shell: Shell, words: readonly string[], io: CommandIo): Promise<string> {
  const signal = new AbortController().signal;
  const options = { cwd: io.cwd, timeoutMs: GIT_TIMEOUT_MS, signal };
  const { exitCode, stdout, stderr } = await shell.run(["git", ...words], options);
  if (exitCode === 0) return stdout.trim();
  throw fault.refused("COMMIT_UNKNOWN", `git ${words[0]} failed: ${stderr.trim().slice(0, 200)}`, {
    hint: "run this in the checkout that is to be built",
  });
}

async function pushOnce(
  shell: Shell,
  image: Image,
  region: string,
  isFirst: boolean,
  io: CommandIo,
): Promise<number> {
  const { aws } = await openConfig(io);
  const registry = createImageRegistry({ region, endpointUrl: aws.endpointUrl });
  const signal = new AbortController().signal;
  const { repository, commit } = image;
  const there = await registry.digestOf(repository, commit, signal);
  if (there !== null && isFirst) throw takenBefore(`${repository}:${commit}`, there);
  if (there !== null) {
    io.out(`${repository}:${commit} is there already: ${there}`);
    return EXIT_OK;
  }
  const login = await registry.login(signal);
  const name = `${login.host}/${repository}:${commit}`;
  await build(shell, image, [name], io);
  await push(shell, login, name, io);
  io.out(`${repository}:${commit} pushed: ${await registry.digestOf(repository, commit, signal)}`);
  return EXIT_OK;
}

/** A tag is never moved, so whoever was quicker with it would be deployed: somebody has to know that it was one of us. */
function takenBefore(name: string, digest: string) {
  return fault.refused("IMAGE_TAG_TAKEN", `${name} is there before it was built: ${digest}`, {
    hint: "find out who has pushed it (CloudTrail, PutImage); if it was one of us, run the job again",
  });
}

async function build(
  shell: Shell,
  { service, commit }: Image,
  names: readonly string[],
  io: CommandIo,
): Promise<void> {
  const tags = names.flatMap((name) => ["--tag", name]);
  const what = ["--file", DOCKERFILE, "--target", service, "--build-arg", `COMMIT=${commit}`];
  await docker(shell, ["build", ...what, ...tags, "."], io);
}

/** The password goes by standard input into a folder that is gone afterwards: neither in argv nor kept in a home. */
async function push(
  shell: Shell,
  { host, user, password }: RegistryLogin,
  name: string,
  io: CommandIo,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-registry-"));
  const env = { DOCKER_CONFIG: folder };
  try {
    const login = ["login", "--username", user, "--password-stdin", host];
    await docker(shell, login, io, { env, input: password.reveal() });
    await docker(shell, ["push", name], io, { env });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function docker(
  shell: Shell,
  words: readonly string[],
  io: CommandIo,
  more: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<void> {
  const host = io.env.DOCKER_HOST;
  const { exitCode, endedBy, stderr } = await shell.run(["docker", ...words], {
    ...{ cwd: io.cwd, timeoutMs: BUILD_TIMEOUT_MS, outputMaxBytes: OUTPUT_MAX_BYTES },
    signal: new AbortController().signal,
    onLine: (line) => io.progress(line),
    env: { ...(host === undefined ? {} : { DOCKER_HOST: host }), ...more.env },
    ...(more.input === undefined ? {} : { input: more.input }),
  });
  if (exitCode === 0) return;
  const said = stderr.trim().slice(-COMPLAINT_MAX);
  throw fault.data("IMAGE_NOT_BUILT", `docker ${words[0]} failed (${endedBy}): ${said}`, {
    hint: "a container engine must run here: docker version",
  });
}
