// Lints the Dockerfile and the compose file where no container engine can: what is pinned, who runs, what is open, and that
// no secret is built in. Exit 0 with nothing found; 1 with a finding a line. hadolint knows more, and is no package of npm's.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { load, YAML11_SCHEMA } from "js-yaml";

const SECRET_NAME = /PASSWORD|SECRET|TOKEN|PRIVATE|CREDENTIAL|(^|_)KEY($|_)/i;
const DIGEST = /@sha256:[0-9a-f]{64}$/;

/** `[{ line, word, rest }]`: comments gone, continued lines joined. `word` is in capitals. */
export function readInstructions(text) {
  const instructions = [];
  let open = null;
  for (const [at, raw] of text.split("\n").entries()) {
    if (raw.trim() === "" || raw.trimStart().startsWith("#")) continue;
    const isOpen = raw.trimEnd().endsWith("\\");
    const part = isOpen ? raw.trimEnd().slice(0, -1) : raw;
    open = open ? { ...open, text: `${open.text} ${part.trim()}` } : { line: at + 1, text: part };
    if (isOpen) continue;
    const [, word, rest] = /^\s*(\S+)\s*(.*)$/.exec(open.text);
    instructions.push({ line: open.line, word: word.toUpperCase(), rest: rest.trim() });
    open = null;
  }
  return instructions;
}

/** Findings of a Dockerfile, each a sentence with its line. */
export function lintDockerfile(text) {
  const instructions = readInstructions(text);
  const args = argumentsOf(instructions);
  const one = instructions.flatMap((instruction) =>
    lintInstruction(instruction, args).map((said) => `line ${instruction.line}: ${said}`),
  );
  return [...one, ...lintStages(stagesOf(instructions))];
}

/** Those before the first stage: `ARG NODE_IMAGE=…`. */
function argumentsOf(instructions) {
  const pairs = instructions
    .filter(({ word }) => word === "ARG")
    .map(({ rest }) => rest.split("=", 2));
  return new Map(pairs.filter(([, value]) => value !== undefined));
}

function lintInstruction({ word, rest }, args) {
  if (word === "ADD") return ["ADD fetches and unpacks by itself: use COPY"];
  if (word === "ARG" || word === "ENV") return lintNames(word, rest);
  if (word === "CMD" || word === "ENTRYPOINT") return lintForm(word, rest);
  if (word === "HEALTHCHECK") return lintForm(word, rest.replace(/^.*?\bCMD\s+/, ""));
  if (word === "FROM") return lintImage(rest, args);
  if (word === "RUN" && /curl|wget/.test(rest) && /\|\s*(ba)?sh/.test(rest))
    return ["RUN pipes a download into a shell"];
  return [];
}

/** A value that is built in is in every layer, for whoever has the image. */
function lintNames(word, rest) {
  const names = [...rest.matchAll(/(?:^|\s)([A-Za-z_]\w*)(?==|$)/g)].map(([, name]) => name);
  return names
    .filter((name) => SECRET_NAME.test(name))
    .map((name) => `${word} ${name}: a secret is given when it runs, never built in`);
}

/** The other form runs a shell, which takes the signals and gives none on. */
function lintForm(word, rest) {
  try {
    if (Array.isArray(JSON.parse(rest))) return [];
  } catch {
    // Not JSON: then Docker reads it as words of a shell, too.
  }
  return [`${word} is words of a shell, expected a JSON list`];
}

function lintImage(rest, args) {
  const [named] = rest.replace(/^--platform=\S+\s+/, "").split(/\s+/);
  const image = named.replace(/^\$\{(\w+)\}$/, (whole, name) => args.get(name) ?? whole);
  return image.includes("/") || image.includes(":") ? lintPin(image) : [];
}

function lintPin(image) {
  if (/:latest(@|$)/.test(image)) return [`${image}: latest is a different image every day`];
  return DIGEST.test(image) ? [] : [`${image}: expected a digest, name:tag@sha256:…`];
}

/** `[{ name, from, words: Map of the last of each instruction }]`. */
function stagesOf(instructions) {
  const stages = [];
  for (const { word, rest } of instructions) {
    if (word === "FROM") {
      const [, from, name] = /^(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?/i.exec(rest);
      stages.push({ from, name: name ?? null, words: new Map() });
    } else stages.at(-1)?.words.set(word, rest);
  }
  return stages;
}

/** Stages that no other is made of are what runs. What one does not say, it has from the stage it is made of. */
function lintStages(stages) {
  const named = new Map(stages.map((stage) => [stage.name, stage]));
  const said = (stage, word) =>
    stage === undefined ? undefined : (stage.words.get(word) ?? said(named.get(stage.from), word));
  const isFinal = ({ name }) =>
    !stages.some(({ from, words }) => from === name || words.get("COPY")?.includes(`=${name} `));
  return stages.filter(isFinal).flatMap((stage) => {
    const user = said(stage, "USER");
    const findings = [];
    if (user === undefined || /^(root|0)(:|$)/.test(user) || !/^\d/.test(user))
      findings.push(`runs as ${user ?? "root"}, expected a number that is not 0`);
    for (const word of ["HEALTHCHECK", "ENTRYPOINT"])
      if (said(stage, word) === undefined) findings.push(`has no ${word}`);
    return findings.map((finding) => `target ${stage.name}: ${finding}`);
  });
}

/** Findings of a compose file. `own` begin our images' names: they are built here, so their tag is the commit. */
export function lintCompose(text, own = "algobrain-") {
  // Compose reads YAML 1.1, in which `<<` merges.
  const { services = {}, secrets = {} } = load(text, { schema: YAML11_SCHEMA });
  return Object.entries(services).flatMap(([name, service]) =>
    lintService(service, own, Object.keys(secrets)).map((said) => `service ${name}: ${said}`),
  );
}

function lintService(service, own, secrets) {
  const findings = service.image.startsWith(own)
    ? lintOwnTag(service.image)
    : lintPin(service.image);
  if (service.read_only !== true) findings.push("its file system can be written to");
  if (!service.cap_drop?.includes("ALL")) findings.push("it keeps capabilities: cap_drop ALL");
  if (!service.security_opt?.includes("no-new-privileges:true"))
    findings.push("its programs may gain rights: no-new-privileges:true");
  const { "max-size": size, "max-file": files } = service.logging?.options ?? {};
  if (size === undefined || files === undefined)
    findings.push("its log has no end: logging with max-size and max-file");
  if (!(service.pids_limit > 0)) findings.push("it may start processes without end: pids_limit");
  if (service.privileged || service.network_mode === "host" || service.pid === "host")
    findings.push("it shares the machine's own network, processes or rights");
  for (const mount of service.volumes ?? [])
    if (String(mount).includes("docker.sock")) findings.push("it holds the engine itself");
  for (const port of service.ports ?? [])
    if (!/^127\.0\.0\.1:/.test(String(port))) findings.push(`port ${port} is open to the world`);
  for (const secret of service.secrets ?? [])
    if (!secrets.includes(secret)) findings.push(`its secret ${secret} is not declared`);
  return [...findings, ...lintSettings(service.environment ?? {})];
}

function lintOwnTag(image) {
  if (/:\$\{IMAGE_TAG:\?[^}]+\}$/.test(image)) return [];
  return [`${image}: expected the commit as its tag, and a refusal without one`];
}

function lintSettings(environment) {
  return Object.entries(environment)
    .filter(([name, value]) => SECRET_NAME.test(name) && !String(value).startsWith("/run/secrets/"))
    .map(([name]) => `${name} stands in its environment: give it as a secret's file`);
}

function main() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "infra", "docker");
  const findings = [
    ["Dockerfile", lintDockerfile],
    ["docker-compose.prod.yml", lintCompose],
  ].flatMap(([file, lint]) =>
    lint(readFileSync(join(folder, file), "utf8")).map((said) => `infra/docker/${file}: ${said}`),
  );
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
