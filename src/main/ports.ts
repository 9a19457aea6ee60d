/** The outside world, as far as this configuration reaches it. What is not configured is null: its work waits and says so. */
import { join } from "node:path";
import { createEmailNotifier } from "../adapter/email.js";
import { createGit } from "../adapter/git.js";
import { createPagerDutyIncidents, createPagerDutyNotifier } from "../adapter/pagerduty.js";
import { createShell } from "../adapter/shell.js";
import { createSlack } from "../adapter/slack.js";
import { createWebhookNotifier } from "../adapter/webhook.js";
import type { Notifier } from "../alert/port.js";
import type { ExportTarget } from "../job/export-port.js";
import type { Cache, Git } from "../job/port.js";
import type { RepoStore, SourceHost } from "../job/source-port.js";
import type { Receiver } from "../policy/policy.js";
import type { ProposeChange } from "../review/change-request.js";
import type { ProposeDrift } from "../review/infra/drift-proposals.js";
import type { GitHost } from "../review/port.js";
import type { Chat, Incidents, Shell } from "../runbook/port.js";
import type { Borrower } from "../runtime/borrower.js";
import { createProposeChange } from "../runtime/change.js";
import type { Config } from "../runtime/config.js";
import { DependencyBoard } from "../runtime/dependency-board.js";
import { createDependencyGuard } from "../runtime/dependency-guard.js";
import {
  guardChat,
  guardGitHost,
  guardIncidents,
  guardNotifier,
} from "../runtime/guarded-ports.js";
import { processKey } from "../runtime/process-key.js";
import { createProposeDrift } from "../runtime/propose-drift.js";
import type { Foundation } from "./foundation.js";
import { openGitHost } from "./git-host.js";
import { openClones, openExportBucket, openSource } from "./source.js";

export interface Ports {
  readonly shell: Shell;
  readonly git: Git;
  readonly cache: Cache;
  /** Null: no credentials for GitHub. */
  readonly source: SourceHost | null;
  readonly clones: RepoStore | null;
  /** Null: exports stay on this machine. */
  readonly exportBucket: ExportTarget | null;
  readonly chat: Chat | null;
  readonly incidents: Incidents | null;
  readonly notifiers: ReadonlyMap<Receiver["kind"], Notifier>;
}

export function createPorts(
  foundation: Foundation,
  cache: Cache,
  borrower: Borrower | null = null,
): Ports {
  const { config, redact } = foundation;
  const shell = createShell({ redact, keyOf: processKey });
  const guard = createDependencyGuard({ ...foundation, board: new DependencyBoard(foundation) });
  const outside = reachOutside(config);
  const source = openSource(foundation, { borrower, guard });
  const guarded = outside.notifiers.map((notifier) => guardNotifier(notifier, guard));
  return {
    shell,
    git: createGit(shell, { views: join(config.home, "git-views") }),
    cache,
    source,
    clones: openClones(foundation, source, shell),
    exportBucket: openExportBucket(foundation, borrower),
    chat: outside.chat && guardChat(outside.chat, guard),
    incidents: outside.incidents && guardIncidents(outside.incidents, guard),
    notifiers: new Map(guarded.map((notifier) => [notifier.kind, notifier])),
  };
}

/** Null: no repository, or no credentials for it. */
export function createGitHost(foundation: Foundation): GitHost | null {
  const host = openGitHost(foundation.config, foundation.githubBudget.note);
  const guard = createDependencyGuard({ ...foundation, board: new DependencyBoard(foundation) });
  return host && guardGitHost(host, guard);
}

/** Null: PagerDuty is not configured. */
export function createIncidents(foundation: Foundation): Incidents | null {
  const { incidents } = reachOutside(foundation.config);
  const guard = createDependencyGuard({ ...foundation, board: new DependencyBoard(foundation) });
  return incidents && guardIncidents(incidents, guard);
}

/** Those that ask no board in the database first: for the page that the database itself is away. */
export function createDirectNotifiers({ config }: Foundation): Ports["notifiers"] {
  return new Map(reachOutside(config).notifiers.map((notifier) => [notifier.kind, notifier]));
}

/** Null: changes cannot be proposed here. */
export function createChangeProposer(foundation: Foundation): ProposeChange | null {
  const host = createGitHost(foundation);
  const { db, clock, config } = foundation;
  const { environment } = config;
  return host && createProposeChange({ host, db, now: () => clock.now(), environment });
}

/** Null: as `createChangeProposer`. */
export function createDriftProposer(foundation: Foundation): ProposeDrift | null {
  const host = createGitHost(foundation);
  const propose = createChangeProposer(foundation);
  const { db, policy } = foundation;
  return host && propose && createProposeDrift({ db, host, propose, policy });
}

function reachOutside({ slack, pagerduty, mail }: Config) {
  const { botToken, apiUrl } = slack;
  const { routingKey, eventsUrl, token } = pagerduty;
  const talking = botToken === null ? null : createSlack({ token: botToken, apiUrl });
  const notifiers = [
    createWebhookNotifier(),
    ...(talking ? [talking.notifier] : []),
    ...(mail === null ? [] : [createEmailNotifier(mail)]),
    ...(routingKey === null ? [] : [createPagerDutyNotifier({ routingKey, eventsUrl })]),
  ];
  return {
    notifiers,
    chat: talking?.chat ?? null,
    incidents:
      token === null ? null : createPagerDutyIncidents({ token, apiUrl: pagerduty.apiUrl }),
  };
}
