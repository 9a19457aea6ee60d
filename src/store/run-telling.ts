/**
 * A run's one living message, written whole from its row whenever somebody moves it, in the transaction of
 * that move. It becomes a post later (runtime/chat-poster.ts), so Slack never delays a run.
 */
import type { Runbook } from "../runbook/define.js";
import { isFinal, type Run, type RunLine } from "../runbook/run.js";
import {
  type ApprovalAsked,
  endingMessage,
  progressMessage,
  waitingMessage,
} from "../runbook/telling.js";
import { type ChatBody, sayEndApart, sayInChat } from "./chat-posts.js";
import type { Sql } from "./database.js";

export interface TellingWords {
  /** Newest words of progress, oldest first. */
  readonly lines?: readonly string[];
  /** Null or absent: what to type next, and whether it can be taken back, is left out. */
  readonly runbook?: Runbook | null;
}

/** Does nothing for a run that nobody in chat asked for. */
export async function tellRun(sql: Sql, run: Run, words: TellingWords = {}): Promise<void> {
  if (run.chat === null) return;
  await sayInChat(sql, {
    key: `${run.id}:main`,
    purpose: "main",
    runSeq: run.seq,
    channel: run.chat.channel,
    ts: run.chat.ts,
    body: await bodyOf(sql, run, words),
  });
  if (isFinal(run.status)) await sayEndApart(sql, run.seq);
}

async function bodyOf(
  sql: Sql,
  run: Run,
  { lines = [], runbook = null }: TellingWords,
): Promise<ChatBody> {
  const { status, output } = run;
  if (isFinal(status))
    return endingMessage(run, { status, outcome: run.outcome ?? "", output }, runbook);
  const asked = run.waitingFor === "approval" ? await readApprovalAsked(sql, run.seq) : null;
  return asked ? waitingMessage(run, asked, runbook) : progressMessage(run, lines);
}

/** Null: nobody is asked. */
export async function readApprovalAsked(sql: Sql, runSeq: number): Promise<ApprovalAsked | null> {
  const { rows } = await sql.query<ApprovalAsked>(
    `SELECT asked.needed, asked.approvers ->> 'role' AS role, asked.approvers ->> 'team' AS team, asked.requester,
            coalesce(asked.approvers -> 'authors', '[]') AS authors,
            asked.approvers ->> 'authorUnknown' AS "authorUnknown",
            asked.expires_at AS "expiresAt", asked.nonce,
            ARRAY(SELECT vote.person FROM control.approval AS vote WHERE vote.run_seq = asked.run_seq
                    AND vote.nonce = asked.nonce AND vote.decision = 'approve' ORDER BY vote.at) AS agreed
     FROM control.approval_request AS asked WHERE asked.run_seq = $1 AND asked.outcome IS NULL`,
    [runSeq],
  );
  return rows[0] ?? null;
}

/** Slack takes 3,000 characters a block; the rest of what it printed stands on the run's page. */
const CHUNK_MAX = 2_900;
const CHUNKS_MAX = 10;

/**
 * What the run's programs printed, below its message: redacted before it was stored, cut into messages that Slack
 * takes. Say it once, at the end; a repeat changes nothing. What a run only said stands in its message.
 */
export async function tellOutput(sql: Sql, run: Run, lines: readonly RunLine[]): Promise<void> {
  if (run.chat === null || lines.every(({ stream }) => stream === "say")) return;
  const chunks = intoChunks(lines.map(({ text }) => text));
  const shown = chunks.slice(0, CHUNKS_MAX);
  for (const [i, code] of shown.entries()) {
    const isCut = i === CHUNKS_MAX - 1 && chunks.length > CHUNKS_MAX;
    await sayInChat(sql, {
      key: `${run.id}:thread:${i + 1}`,
      purpose: `thread:${i + 1}`,
      runSeq: run.seq,
      channel: run.chat.channel,
      body: {
        tone: "info",
        title: `Output of ${run.id}, part ${i + 1} of ${shown.length}`,
        code,
        ...(isCut ? { footer: `cut here; all of it: GET /api/v1/runs/${run.id}` } : {}),
      },
    });
  }
}

/** Whole lines together while they fit; a longer line is split. */
export function intoChunks(lines: readonly string[]): string[] {
  const chunks: string[] = [];
  let chunk: string[] = [];
  let weight = 0;
  for (const part of lines.flatMap(splitLine)) {
    const more = weightOf(part) + 1;
    if (weight + more > CHUNK_MAX && chunk.length > 0) {
      chunks.push(chunk.join("\n"));
      [chunk, weight] = [[], 0];
    }
    chunk.push(part);
    weight += more;
  }
  return chunk.length === 0 ? chunks : [...chunks, chunk.join("\n")];
}

/** Slack's entities make one character of three kinds up to five. */
const ENTITY_MAX = 5;

function weightOf(text: string): number {
  return text.length + (ENTITY_MAX - 1) * (text.match(/[&<>]/g)?.length ?? 0);
}

function splitLine(line: string): string[] {
  if (weightOf(line) < CHUNK_MAX) return [line];
  const size = Math.floor(CHUNK_MAX / ENTITY_MAX);
  const parts: string[] = [];
  for (let at = 0; at < line.length; at += size) parts.push(line.slice(at, at + size));
  return parts;
}
