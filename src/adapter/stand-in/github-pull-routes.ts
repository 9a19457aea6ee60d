/** Pull requests of a stand-in GitHub and the comments on them, over HTTP. */
import {
  created,
  invalid,
  ok,
  pageOf,
  problem,
  type StandInGitHubState,
  type StandInRoute,
} from "./github-answers.js";
import {
  commentObject,
  listedCommitObject,
  pullObject,
  type StandInComment,
} from "./github-objects.js";
import { jsonBody, type LoopbackAnswer, type LoopbackRequest } from "./loopback.js";

/** GitHub's bound on the body of a comment. */
const COMMENT_MAX = 65_536;

export function pullRoutes(state: StandInGitHubState): readonly StandInRoute[] {
  return [
    ["GET", "/pulls", (request) => listPulls(state, request)],
    ["POST", "/pulls", (request) => makePull(state, request)],
    ["PATCH", "/pulls/(\\d+)", (request, [n]) => updatePull(state, request, Number(n))],
    ["GET", "/pulls/(\\d+)/commits", (request, [n]) => listCommits(state, request, Number(n))],
    ["GET", "/issues/(\\d+)/comments", (request, [n]) => listComments(state, request, Number(n))],
    ["POST", "/issues/(\\d+)/comments", (request, [n]) => write(state, request, Number(n))],
    ["PATCH", "/issues/comments/(\\d+)", (request, [id]) => edit(state, request, Number(id))],
    ["DELETE", "/issues/comments/(\\d+)", (_, [id]) => remove(state, Number(id))],
  ];
}

/** Also as another person or program does it, not over HTTP. */
export function addComment(
  state: StandInGitHubState,
  pull: number,
  author: string,
  body: string,
): StandInComment {
  const id = Math.max(0, ...state.comments.map((comment) => comment.id)) + 1;
  const at = state.now().toISOString();
  const comment = { id, pull, author, body, createdAt: at, updatedAt: at };
  state.comments.push(comment);
  return comment;
}

function listPulls(
  { pulls, place }: StandInGitHubState,
  { query }: LoopbackRequest,
): LoopbackAnswer {
  const state = query.get("state") ?? "open";
  const head = query.get("head")?.split(":")[1];
  const fits = (pull: { head: string; state: string }) =>
    (state === "all" || pull.state === state) && (head === undefined || pull.head === head);
  const found = pulls.list().filter(fits).reverse();
  return ok(pageOf(found, query).map((pull) => pullObject(pull, place)));
}

function makePull(
  { pulls, me, place }: StandInGitHubState,
  request: LoopbackRequest,
): LoopbackAnswer {
  const { head, base, title, body } = jsonBody(request) ?? {};
  const opened = pulls.open({
    ...{ head: String(head), base: String(base), title: String(title), body: String(body ?? "") },
    author: me,
  });
  if (typeof opened === "string") return invalid("PullRequest", "custom", opened);
  return created(pullObject(opened, place));
}

/** Closed, of all that may be changed: one that has ended stays as it is. */
function updatePull(
  { pulls, place }: StandInGitHubState,
  request: LoopbackRequest,
  number: number,
): LoopbackAnswer {
  const pull = pulls.get(number);
  if (pull === null) return problem(404, "Not Found");
  const { state } = jsonBody(request) ?? {};
  if (state !== "closed") return invalid("PullRequest", "invalid", "state is not closed");
  if (pull.state === "open") pulls.close(number);
  return ok(pullObject(pulls.get(number) ?? pull, place));
}

function listCommits(
  { commits, pulls, place }: StandInGitHubState,
  { query }: LoopbackRequest,
  number: number,
): LoopbackAnswer {
  const pull = pulls.get(number);
  if (pull === null) return problem(404, "Not Found");
  const own = commits.between(pull.base, pull.head);
  return ok(pageOf(own, query).map((commit) => listedCommitObject(commit, place)));
}

function listComments(
  { comments, place }: StandInGitHubState,
  { query }: LoopbackRequest,
  pull: number,
): LoopbackAnswer {
  const found = comments.filter((comment) => comment.pull === pull);
  return ok(pageOf(found, query).map((comment) => commentObject(comment, place)));
}

function write(state: StandInGitHubState, request: LoopbackRequest, pull: number): LoopbackAnswer {
  const { body } = jsonBody(request) ?? {};
  if (state.pulls.get(pull) === null) return problem(404, "Not Found");
  if (!isShort(body)) return tooLong();
  return created(commentObject(addComment(state, pull, state.me, body), state.place));
}

function edit(state: StandInGitHubState, request: LoopbackRequest, id: number): LoopbackAnswer {
  const { body } = jsonBody(request) ?? {};
  const comment = state.comments.find((one) => one.id === id);
  if (!comment) return problem(404, "Not Found");
  if (!isShort(body)) return tooLong();
  const edited = { ...comment, body, updatedAt: state.now().toISOString() };
  state.comments = state.comments.map((one) => (one.id === id ? edited : one));
  return ok(commentObject(edited, state.place));
}

function remove(state: StandInGitHubState, id: number): LoopbackAnswer {
  const left = state.comments.filter((one) => one.id !== id);
  if (left.length === state.comments.length) return problem(404, "Not Found");
  state.comments = left;
  return { status: 204, body: "" };
}

function isShort(body: unknown): body is string {
  return typeof body === "string" && body.length > 0 && body.length <= COMMENT_MAX;
}

function tooLong(): LoopbackAnswer {
  const message = `Body is too long (maximum is ${COMMENT_MAX} characters)`;
  return invalid("IssueComment", "unprocessable", message);
}
