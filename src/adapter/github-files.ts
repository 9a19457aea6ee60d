/** Files of one repository, as they are at a commit. Folders are listed one by one: a whole tree may be huge. */
import { fault } from "../base/fault.js";
import type { RepositoryFile } from "../review/port.js";
import type { GitHubRepository } from "./github-repository.js";

/** Ten times our own policies. */
const FILES_MAX = 2_000;
const AT_ONCE = 8;
const SYMBOLIC_LINK = "120000";
const TEXTS_KEPT = 2 * FILES_MAX;

interface Listed {
  readonly path: string;
  readonly sha: string;
}

interface TreeEntry extends Listed {
  readonly kind: "file" | "folder";
}

/** Content is named by its digest and never changes, so each is fetched once a process. */
export function createFileReader(repository: GitHubRepository) {
  const texts = new Map<string, string>();
  return async (
    commit: string,
    under: readonly string[],
    signal: AbortSignal,
  ): Promise<RepositoryFile[]> => {
    const root = await listTree(repository, commit, false, signal);
    const found = await Promise.all(
      under.map((path) => listBelow(repository, root, path.split("/"), signal)),
    );
    const files = found.flat();
    if (files.length > FILES_MAX) throw tooMany(`${files.length} files`);
    if (texts.size > TEXTS_KEPT) texts.clear();
    return mapSome(files, async ({ path, sha }) => {
      const text = texts.get(sha) ?? (await readBlob(repository, sha, signal));
      texts.set(sha, text);
      return { path, text, sha };
    });
  };
}

/** Files at or below `steps`, with their whole paths. */
export async function listBelow(
  repository: GitHubRepository,
  entries: readonly TreeEntry[],
  [step, ...rest]: readonly string[],
  signal: AbortSignal,
): Promise<Listed[]> {
  const entry = entries.find(({ path }) => path === step);
  if (entry === undefined) return [];
  if (entry.kind === "file") return rest.length === 0 ? [entry] : [];
  const inside = await listTree(repository, entry.sha, rest.length === 0, signal);
  const below =
    rest.length === 0
      ? inside.filter(({ kind }) => kind === "file")
      : await listBelow(repository, inside, rest, signal);
  return below.map(({ path, sha }) => ({ path: `${entry.path}/${path}`, sha }));
}

/** `treeish`: a tree or a commit. Links are left out: they are no text of ours. */
export async function listTree(
  { at, call }: GitHubRepository,
  treeish: string,
  recursive: boolean,
  signal: AbortSignal,
): Promise<TreeEntry[]> {
  const { tree, truncated } = await call(signal, `the files of ${treeish}`, (octokit, request) =>
    octokit.rest.git.getTree({
      ...at,
      ...(recursive ? { recursive: "1" } : {}),
      ...{ tree_sha: treeish, request },
    }),
  );
  if (truncated) throw tooMany("more files than GitHub lists at once");
  return tree.flatMap(({ path, type, mode, sha }): TreeEntry[] => {
    if (type === "blob" && mode !== SYMBOLIC_LINK) return [{ path, sha, kind: "file" }];
    return type === "tree" ? [{ path, sha, kind: "folder" }] : [];
  });
}

async function readBlob(
  { at, call }: GitHubRepository,
  sha: string,
  signal: AbortSignal,
): Promise<string> {
  const { content, encoding } = await call(signal, `the content ${sha}`, (octokit, request) =>
    octokit.rest.git.getBlob({ ...at, file_sha: sha, request }),
  );
  return Buffer.from(content, encoding === "base64" ? "base64" : "utf8").toString("utf8");
}

function tooMany(found: string) {
  return fault.data("GITHUB_TOO_MANY_FILES", `found ${found}, expected at most ${FILES_MAX}`, {
    hint: "is GITOPS_REPO the repository that holds the policies?",
  });
}

/** In order, `AT_ONCE` at a time: GitHub limits how many requests of one caller it answers together. */
async function mapSome<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE)
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(map))));
  return results;
}
