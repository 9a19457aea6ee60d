/** The ports to systems outside with the guard before each call. What is null stays null. */
import type { Delivery, Notifier } from "../alert/port.js";
import type { Receiver } from "../policy/policy.js";
import type { GitHost } from "../review/port.js";
import type { Chat, Incidents } from "../runbook/port.js";
import type { DependencyGuard, OutsideCall } from "./dependency-guard.js";

export function guardNotifier(notifier: Notifier, guard: DependencyGuard): Notifier {
  const { kind } = notifier;
  const guarded = <T>(
    { receiver, severity }: Delivery,
    signal: AbortSignal,
    work: () => Promise<T>,
  ) => guard({ dependency: dependencyOf(receiver), urgent: severity === "sev1", signal }, work);
  const find: Notifier["find"] =
    notifier.find &&
    ((delivery, since, signal) =>
      guarded(delivery, signal, async () => notifier.find?.(delivery, since, signal) ?? null));
  return {
    kind,
    deliver: (delivery, signal) =>
      guarded(delivery, signal, () => notifier.deliver(delivery, signal)),
    ...(find && { find }),
  };
}

/** Each webhook receiver is a system of its own: one that is down must not hold back the others. */
function dependencyOf({ kind, name }: Receiver): OutsideCall["dependency"] {
  return kind === "webhook" ? `webhook/${name}` : kind;
}

export function guardChat(chat: Chat, guard: DependencyGuard): Chat {
  const guarded = <T>(signal: AbortSignal, work: () => Promise<T>) =>
    guard({ dependency: "slack", signal }, work);
  return {
    post: (to, message, signal) => guarded(signal, () => chat.post(to, message, signal)),
    update: (at, message, signal) => guarded(signal, () => chat.update(at, message, signal)),
    ephemeral: (to, message, signal) => guarded(signal, () => chat.ephemeral(to, message, signal)),
    find: (at, key, since, signal) => guarded(signal, () => chat.find(at, key, since, signal)),
  };
}

/** PagerDuty's REST API has limits of its own: used up by notes, they must not hold back a page. */
export function guardIncidents(incidents: Incidents, guard: DependencyGuard): Incidents {
  const guarded = <T>(signal: AbortSignal, work: () => Promise<T>) =>
    guard({ dependency: "pagerduty-incidents", signal }, work);
  return {
    addNote: (incidentId, text, marker, signal) =>
      guarded(signal, () => incidents.addNote(incidentId, text, marker, signal)),
    alerts: (incidentId, signal) => guarded(signal, () => incidents.alerts(incidentId, signal)),
    status: (incidentId, signal) => guarded(signal, () => incidents.status(incidentId, signal)),
  };
}

export function guardGitHost(host: GitHost, guard: DependencyGuard): GitHost {
  const guarded = <T>(signal: AbortSignal, work: () => Promise<T>) =>
    guard({ dependency: "github", signal }, work);
  return {
    head: (signal) => guarded(signal, () => host.head(signal)),
    readFiles: (commit, under, signal) =>
      guarded(signal, () => host.readFiles(commit, under, signal)),
    findPullRequest: (branch, signal) =>
      guarded(signal, () => host.findPullRequest(branch, signal)),
    openPullRequest: (wish, signal) => guarded(signal, () => host.openPullRequest(wish, signal)),
    closePullRequest: (pull, signal) => guarded(signal, () => host.closePullRequest(pull, signal)),
    listCommits: (pull, signal) => guarded(signal, () => host.listCommits(pull, signal)),
    listComments: (pull, signal) => guarded(signal, () => host.listComments(pull, signal)),
    createComment: (pull, body, signal) =>
      guarded(signal, () => host.createComment(pull, body, signal)),
    updateComment: (id, body, signal) =>
      guarded(signal, () => host.updateComment(id, body, signal)),
    deleteComment: (id, signal) => guarded(signal, () => host.deleteComment(id, signal)),
    whoAmI: (signal) => guarded(signal, () => host.whoAmI(signal)),
    protection: (branch, signal) => guarded(signal, () => host.protection(branch, signal)),
  };
}
