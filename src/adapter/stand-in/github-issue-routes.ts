/** Issues of a stand-in GitHub, over HTTP. Its list holds pull requests, too, as GitHub's does. */
import {
  created,
  invalid,
  ok,
  pageOf,
  problem,
  type StandInGitHubState,
  type StandInRoute,
} from "./github-answers.js";
import { issueObject, pullObject, type StandInIssue } from "./github-objects.js";
import { jsonBody, type LoopbackAnswer, type LoopbackRequest } from "./loopback.js";

/** GitHub's bound on the body of an issue. */
const BODY_MAX = 65_536;

export function issueRoutes(state: StandInGitHubState): readonly StandInRoute[] {
  return [
    ["GET", "/issues", (request) => listIssues(state, request)],
    ["POST", "/issues", (request) => makeIssue(state, request)],
    ["PATCH", "/issues/(\\d+)", (request, [number]) => editIssue(state, request, Number(number))],
  ];
}

/** Also as another person or program opens it, not over HTTP. */
export function addIssue(
  state: StandInGitHubState,
  issue: Pick<StandInIssue, "title" | "body" | "author">,
): StandInIssue {
  const numbers = [...state.issues, ...state.pulls.list()].map(({ number }) => number);
  const added = { ...issue, number: Math.max(0, ...numbers) + 1, state: "open" } as const;
  state.issues.push(added);
  return added;
}

function listIssues(state: StandInGitHubState, { query }: LoopbackRequest): LoopbackAnswer {
  const { place } = state;
  const wanted = query.get("state") ?? "open";
  const fits = (one: { readonly state: string }) => wanted === "all" || one.state === wanted;
  const pulls = state.pulls.list().filter(fits);
  const all = [
    ...state.issues.filter(fits).map((one) => ({ at: one.number, thing: issueObject(one, place) })),
    ...pulls.map((one) => ({
      at: one.number,
      thing: { ...pullObject(one, place), pull_request: { url: place.api } },
    })),
  ].sort((a, b) => (query.get("direction") === "asc" ? a.at - b.at : b.at - a.at));
  return ok(pageOf(all, query).map(({ thing }) => thing));
}

function makeIssue(state: StandInGitHubState, request: LoopbackRequest): LoopbackAnswer {
  const { title, body } = jsonBody(request) ?? {};
  if (typeof title !== "string" || title === "")
    return invalid("Issue", "missing_field", "title is missing");
  if (!isShort(body)) return tooLong();
  const made = addIssue(state, { title, body: String(body ?? ""), author: state.me });
  return created(issueObject(made, state.place));
}

function editIssue(
  state: StandInGitHubState,
  request: LoopbackRequest,
  number: number,
): LoopbackAnswer {
  const issue = state.issues.find((one) => one.number === number);
  if (issue === undefined) return problem(404, "Not Found");
  const { title, body, state: to } = jsonBody(request) ?? {};
  if (!isShort(body)) return tooLong();
  const edited: StandInIssue = {
    ...issue,
    title: typeof title === "string" ? title : issue.title,
    body: typeof body === "string" ? body : issue.body,
    state: to === "closed" || to === "open" ? to : issue.state,
  };
  state.issues = state.issues.map((one) => (one === issue ? edited : one));
  return ok(issueObject(edited, state.place));
}

function isShort(body: unknown): boolean {
  return body === undefined || (typeof body === "string" && body.length <= BODY_MAX);
}

function tooLong(): LoopbackAnswer {
  return invalid("Issue", "custom", `body is too long (maximum is ${BODY_MAX} characters)`);
}
