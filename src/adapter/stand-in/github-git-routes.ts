/** The Git database of a stand-in GitHub over HTTP: refs, trees, blobs and commits. */
import { isJsonObject } from "../../base/json.js";
import {
  created,
  ok,
  problem,
  type StandInGitHubState,
  type StandInRoute,
} from "./github-answers.js";
import { commitObject, refObject } from "./github-objects.js";
import { jsonBody, type LoopbackAnswer, type LoopbackRequest } from "./loopback.js";

const NODE_ID = "MDA6RW50aXR5MQ==";
const MODES = { blob: "100644", tree: "040000" } as const;

export function gitRoutes(state: StandInGitHubState): readonly StandInRoute[] {
  return [
    ["GET", "/git/ref/heads/(.+)", (_, [branch]) => readRef(state, branch!)],
    ["GET", "/git/trees/(\\w+)", (request, [sha]) => readTree(state, request, sha!)],
    ["GET", "/git/blobs/(\\w+)", (_, [sha]) => readBlob(state, sha!)],
    ["GET", "/git/commits/(\\w+)", (_, [sha]) => readCommit(state, sha!)],
    ["POST", "/git/trees", (request) => makeTree(state, request)],
    ["POST", "/git/commits", (request) => makeCommit(state, request)],
    ["POST", "/git/refs", (request) => makeRef(state, request)],
  ];
}

function readRef({ commits, place }: StandInGitHubState, branch: string): LoopbackAnswer {
  const sha = commits.branch(branch);
  return sha === null ? problem(404, "Not Found") : ok(refObject(branch, sha, place));
}

function readTree(
  { commits }: StandInGitHubState,
  { query }: LoopbackRequest,
  treeish: string,
): LoopbackAnswer {
  if (!commits.has(treeish)) return problem(404, "Not Found");
  const entries = commits.list(treeish, query.get("recursive") !== null);
  const tree = entries.map((entry) => ({ ...entry, mode: MODES[entry.type] }));
  return ok({ sha: treeish, url: "", tree, truncated: false });
}

function readBlob({ commits }: StandInGitHubState, sha: string): LoopbackAnswer {
  const text = commits.blob(sha);
  if (text === null) return problem(404, "Not Found");
  const bytes = Buffer.from(text, "utf8");
  // GitHub breaks the lines of base64.
  const content = bytes.toString("base64").replace(/.{60}/g, "$&\n");
  return ok({ sha, node_id: NODE_ID, size: bytes.length, url: "", content, encoding: "base64" });
}

function readCommit({ commits, me, place }: StandInGitHubState, sha: string): LoopbackAnswer {
  const commit = commits.commit(sha);
  return commit === null ? problem(404, "Not Found") : ok(commitObject(commit, me, place));
}

function makeTree({ commits }: StandInGitHubState, request: LoopbackRequest): LoopbackAnswer {
  const { base_tree: base, tree } = jsonBody(request) ?? {};
  if (typeof base !== "string" || !commits.has(base) || !Array.isArray(tree))
    return problem(422, "Invalid tree info");
  const files = new Map(commits.filesOf(base));
  for (const entry of tree.filter(isJsonObject))
    files.set(String(entry.path), commits.addBlob(String(entry.content)));
  return created({ sha: commits.addTree(files), url: "", tree: [], truncated: false });
}

function makeCommit(
  { commits, me, now, place }: StandInGitHubState,
  request: LoopbackRequest,
): LoopbackAnswer {
  const { message, tree, parents } = jsonBody(request) ?? {};
  if (typeof message !== "string" || typeof tree !== "string" || !commits.has(tree))
    return problem(422, "Tree SHA does not exist");
  const from = Array.isArray(parents) ? parents.map(String) : [];
  const commit = commits.addCommit({ message, tree, parents: from, at: now(), by: me });
  return created(commitObject(commit, me, place));
}

function makeRef({ commits, place }: StandInGitHubState, request: LoopbackRequest): LoopbackAnswer {
  const { ref, sha } = jsonBody(request) ?? {};
  const branch = /^refs\/heads\/(.+)$/.exec(String(ref))?.[1];
  if (branch === undefined) return problem(422, "Reference name is invalid");
  if (commits.branch(branch) !== null) return problem(422, "Reference already exists");
  if (typeof sha !== "string" || commits.commit(sha) === null)
    return problem(422, "Object does not exist");
  commits.setBranch(branch, sha);
  return created(refObject(branch, sha, place));
}
