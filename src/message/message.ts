/** A neutral message: what is said, before anyone decides how Slack, Markdown or a terminal shows it. */
export type MessageTone = "info" | "good" | "warning" | "bad";

export interface MessageField {
  readonly label: string;
  readonly value: string;
}

export interface MessageTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface MessageAction {
  /** What the button does, e.g. `approve`. */
  readonly action: string;
  readonly label: string;
  /** A lookup key, never authority. */
  readonly value: string;
  readonly style?: "primary" | "danger";
}

export interface Message {
  readonly tone: MessageTone;
  /** One line a sleepy person understands. */
  readonly title: string;
  /** Plain sentences; no markup of any system. */
  readonly text?: string;
  readonly fields?: readonly MessageField[];
  readonly table?: MessageTable;
  /** Preformatted lines, e.g. output of a step. */
  readonly code?: string;
  readonly links?: readonly { readonly label: string; readonly url: string }[];
  readonly actions?: readonly MessageAction[];
  /** Small print: ids, who, when. */
  readonly footer?: string;
}
