/** What Slack sent, as a row to keep: what will be needed, and none of its secrets (response URL, trigger, token). */
import { createHash } from "node:crypto";
import { canonicalJson, isJsonObject, type JsonObject } from "../base/json.js";
import type { NewInbound } from "../store/inbound.js";
import { storedText } from "./stored-text.js";

/** Body of a stored slash command. */
export interface SlackCommandBody extends JsonObject {
  team: string;
  user: string;
  userName: string | null;
  channel: string;
  command: string | null;
  text: string;
  /** ISO 8601, by our clock: what is carried out much later is no longer what was wanted. */
  typedAt: string;
}

/** Body of a stored button. */
export interface SlackButtonBody extends JsonObject {
  team: string;
  user: string;
  channel: string | null;
  actions: { action: string | null; value: string | null }[];
}

export type StoredCommand = NewInbound & { readonly body: SlackCommandBody };

/** The fields of a form, as Socket Mode sends them; of a field that came twice the first counts. */
export function fieldsOf(form: Buffer): JsonObject {
  const fields: JsonObject = {};
  for (const [name, value] of new URLSearchParams(form.toString("utf8")))
    if (!Object.hasOwn(fields, name)) fields[name] = value;
  return fields;
}

/** Null when it is not a slash command. */
export function readSlashCommand(fields: JsonObject, now: Date): StoredCommand | null {
  const team = storedText(fields.team_id, 64);
  const user = storedText(fields.user_id, 64);
  const channel = storedText(fields.channel_id, 64);
  if (!team || !user || !channel) return null;
  return {
    source: "slack",
    deliveryId: deliveryIdOf(team, fields),
    eventType: "slash_command",
    body: {
      ...{ team, user, channel },
      userName: storedText(fields.user_name, 100),
      command: storedText(fields.command, 100),
      text: storedText(fields.text) ?? "",
      typedAt: now.toISOString(),
    },
  };
}

/** Of HTTP the field `payload`, of Socket Mode the payload itself. Null when it is not an interaction. */
export function readInteraction(
  fields: JsonObject,
): (NewInbound & { readonly body: SlackButtonBody }) | null {
  const payload = typeof fields.payload === "string" ? parseObject(fields.payload) : fields;
  if (!payload) return null;
  const idOf = (value: unknown) => (isJsonObject(value) ? storedText(value.id, 64) : null);
  const team = idOf(payload.team);
  const user = idOf(payload.user);
  if (!team || !user) return null;
  const actions = Array.isArray(payload.actions) ? payload.actions.filter(isJsonObject) : [];
  return {
    source: "slack",
    deliveryId: deliveryIdOf(team, payload),
    eventType: storedText(payload.type, 64) ?? "interaction",
    body: {
      ...{ team, user },
      channel: idOf(payload.channel),
      actions: actions.map((it) => ({
        action: storedText(it.action_id, 255),
        value: storedText(it.value, 2_000),
      })),
    },
  };
}

/** Unique per invocation. The trigger opens dialogs in the user's name, so only its digest is kept. */
function deliveryIdOf(team: string, sent: JsonObject): string {
  const trigger = sent.trigger_id;
  const unique = typeof trigger === "string" && trigger !== "" ? trigger : canonicalJson(sent);
  return `${team}/${createHash("sha256").update(unique).digest("hex")}`;
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    // Signed by Slack and still no JSON: not ours to judge, only not to act on.
    return null;
  }
}
