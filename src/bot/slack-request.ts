/** What Slack sent, as a row to keep: what will be needed, and none of its secrets (response URL, trigger, token). */
import { createHash } from "node:crypto";
import { isJsonObject, type JsonObject } from "../base/json.js";
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
}

/** Null when it is not a slash command. */
export function readSlashCommand(body: Buffer): (NewInbound & { body: SlackCommandBody }) | null {
  const form = new URLSearchParams(body.toString("utf8"));
  const team = storedText(form.get("team_id"), 64);
  const user = storedText(form.get("user_id"), 64);
  const channel = storedText(form.get("channel_id"), 64);
  if (!team || !user || !channel) return null;
  return {
    source: "slack",
    deliveryId: deliveryIdOf(team, form.get("trigger_id"), body),
    eventType: "slash_command",
    body: {
      team,
      user,
      userName: storedText(form.get("user_name"), 100),
      channel,
      command: storedText(form.get("command"), 100),
      text: storedText(form.get("text")) ?? "",
    },
  };
}

/** Null when it is not an interaction. */
export function readInteraction(body: Buffer): NewInbound | null {
  const payload = parseObject(new URLSearchParams(body.toString("utf8")).get("payload"));
  if (!payload) return null;
  const idOf = (value: unknown) => (isJsonObject(value) ? storedText(value.id, 64) : null);
  const team = idOf(payload.team);
  const user = idOf(payload.user);
  if (!team || !user) return null;
  const actions = Array.isArray(payload.actions) ? payload.actions.filter(isJsonObject) : [];
  return {
    source: "slack",
    deliveryId: deliveryIdOf(team, storedText(payload.trigger_id), body),
    eventType: storedText(payload.type, 64) ?? "interaction",
    body: {
      team,
      user,
      channel: idOf(payload.channel),
      actions: actions.map((it) => ({
        action: storedText(it.action_id, 255),
        value: storedText(it.value, 2_000),
      })),
    },
  };
}

/** Unique per invocation. The trigger opens dialogs in the user's name, so only its digest is kept. */
function deliveryIdOf(team: string, trigger: string | null, body: Buffer): string {
  const unique = trigger === null || trigger === "" ? body : trigger;
  return `${team}/${createHash("sha256").update(unique).digest("hex")}`;
}

function parseObject(text: string | null): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return isJsonObject(value) ? value : null;
  } catch {
    // Signed by Slack and still no JSON: not ours to judge, only not to act on.
    return null;
  }
}
