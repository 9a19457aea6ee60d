/** Habits of the house that the linter does not know: each rule with what to do instead. */
import { type HouseFinding, lineAt, placesOf, type SourceFile } from "./source-tree.js";

export interface Habit {
  readonly rule: string;
  readonly instead: string;
  /** Files it holds for, and those that are the reason it can hold elsewhere. */
  readonly where: RegExp;
  readonly except?: RegExp;
  /** In code: comments and texts do not count. */
  readonly pattern: RegExp;
}

/** Runbooks too: all they may touch is handed to them. */
const CORE = /^(src\/(base|policy|job|message|alert|runbook|review)|runbooks)\//;
/** The one reader of system time, and the one writer of lines. */
const CORE_EXCEPT = /^src\/base\/(clock|log)\.ts$/;
const PRODUCT = /^(src|stacks|runbooks)\//;

export const CORE_HABITS: readonly Habit[] = [
  {
    rule: "a core room reads no clock",
    instead: "take `now` as an argument, or a Clock",
    where: CORE,
    except: CORE_EXCEPT,
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/g,
  },
  {
    rule: "a core room makes no randomness",
    instead: "take a random number, or a function that gives one, as an argument",
    where: CORE,
    pattern: /\bMath\.random\b|\brandom(UUID|Bytes|Int|FillSync)\b|\bgetRandomValues\b/g,
  },
  {
    rule: "a core room knows no environment and no process",
    instead: "take the value as an argument; src/runtime/config.ts reads the environment",
    where: CORE,
    pattern: /\bprocess\s*\.|\bglobalThis\b|\bimport\.meta\b/g,
  },
  {
    rule: "a core room speaks to nobody and waits for nothing",
    instead: "describe a port in the room's port.ts; an adapter fits it",
    where: CORE,
    except: CORE_EXCEPT,
    pattern: /(?<![.\w])(fetch|setTimeout|setInterval|setImmediate|console)\b(?!\s*[:?])/g,
  },
];

export const HABITS: readonly Habit[] = [
  {
    rule: "process.env is read in two places",
    instead: "take the value as an argument; src/runtime/config.ts and src/cli.ts read it",
    where: PRODUCT,
    except: /^src\/(runtime\/config|cli)\.ts$/,
    pattern: /\bprocess\s*\.\s*env\b/g,
  },
  {
    rule: "nothing is printed but by the command line",
    instead: "log an event (noun.participle) through the Logger",
    where: /^(src|stacks|runbooks)\/(?!cli|gameday)/,
    pattern: /\bconsole\s*\./g,
  },
  {
    rule: "a file exports its own names only (no barrels)",
    instead: "import the file that owns the name",
    where: /^(src|stacks|runbooks|test)\//,
    pattern: /\bexport\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*(?:as\s+\w+\s*)?from\b/g,
  },
  {
    rule: "modules are imported by import",
    instead: "use an import with a literal path, so that the rules about rooms can read it",
    where: /^(src|stacks|runbooks|test)\//,
    pattern: /\brequire\s*\(|\bcreateRequire\b/g,
  },
  {
    rule: "a late import names its module",
    instead: "write the path as a literal, so that the rules about rooms can read it",
    where: PRODUCT,
    // Runbooks beside the program, stacks that may not be installed, the package of this platform.
    except: /^src\/(main\/runbooks|cli\/synth|cli\/infra\/check|adapter\/postgres\/program)\.ts$/,
    pattern: /\bimport\s*\(\s*(?!["'])/g,
  },
  {
    rule: "no default exports",
    instead: "export by name (only runbooks/*.ts export a default, for the registry)",
    where: /^(src|stacks|test)\//,
    pattern: /\bexport\s+default\b|\bas\s+default\b/g,
  },
  {
    rule: "no `any`",
    instead: "say what it is, or `unknown` and narrow it",
    where: /^(src|stacks|runbooks|test)\//,
    pattern: /(?<=[:<,|&=(]\s*|\b(?:as|extends|is|keyof)\s+)any\b(?!\s*[:(])/g,
  },
  {
    rule: "no open Static of a schema",
    instead:
      "write `NoInfer<Static<S>>`, or let the caller give the type: open ones are compared with each other, a second of every type check",
    where: /^(src|stacks|runbooks|test)\//,
    pattern: /(?<!\bNoInfer<\s*)\bStatic<\s*[A-Z]\w*\s*>/g,
  },
  {
    rule: "tests do not wait for time",
    instead: 'wait for the fact: `await until(() => …, "what")` of test/support/until.ts',
    where: /^test\//,
    except: /^test\/(support\/(until|.*clock.*)\.ts|base\/clock\.test\.ts)$/,
    pattern: /\bsetTimeout\b|\bsetInterval\b|\bawait\s+(?:[\w.]+\.)?sleep\(/g,
  },
  {
    rule: "an error is not swallowed without a word",
    instead:
      "handle it, or say in a comment inside the braces or parentheses why it may be dropped",
    where: PRODUCT,
    pattern:
      /\bcatch\s*(?:\(\w*\)\s*)?\{\s*\}|\.catch\(\s*\(\w*\)\s*=>\s*(?:\{\s*\}|undefined|null)\s*\)/g,
  },
];

/** The one door of runbooks into the house: what they need of other rooms is handed out there. */
const HANDS_OUT = /^src\/runbook\/define\.ts$/;
const IMPORTED = /\bimport\s+(?:type\s+)?\{([^}]*)\}/g;
const HANDED_ON =
  /\bexport\s+(?:type\s+)?(?:\{([^}]*)\}(?!\s*from)|(?:const|type)\s+\w+(?:\s*:[^=;]+)?\s*=\s*(\w+)\s*;)/g;

/** A barrel by other means: an imported name that is exported again. */
export function findHandedOn(file: SourceFile): HouseFinding[] {
  if (HANDS_OUT.test(file.path)) return [];
  const imported = new Set([...file.code.matchAll(IMPORTED)].flatMap(([, names]) => listed(names)));
  return [...file.code.matchAll(HANDED_ON)]
    .filter(([, names, alias]) => [...listed(names), alias ?? ""].some((one) => imported.has(one)))
    .map(({ index }) => ({
      path: file.path,
      line: lineAt(file.text, index),
      rule: "a file exports its own names only (no barrels)",
      instead: "import the file that owns the name",
    }));
}

/** Names in braces, by the name they have inside this file. */
function listed(names: string | undefined): string[] {
  return (names ?? "")
    .split(",")
    .flatMap((name) =>
      name
        .trim()
        .replace(/^type\s+/, "")
        .split(/\s+as\s+/),
    )
    .filter((name) => name !== "");
}

/** Modules by which a core room would reach outside. */
const OUTSIDE =
  /^(?:node:)?(fs|child_process|net|http|https|http2|tls|dns|dgram|os|cluster|worker_threads|process|readline|timers|module|vm)(\/|$)/;

export function findBreaches(file: SourceFile, habit: Habit): HouseFinding[] {
  if (!habit.where.test(file.path) || habit.except?.test(file.path)) return [];
  return [...file.code.matchAll(habit.pattern)]
    .filter(({ index, 0: found }) => !saysWhy(file.text.slice(index, index + found.length)))
    .map(({ index }) => ({
      path: file.path,
      line: lineAt(file.text, index),
      rule: habit.rule,
      instead: habit.instead,
    }));
}

/** An empty handler with a comment in it is a decision, not an oversight. */
function saysWhy(found: string): boolean {
  return /catch/.test(found) && /\/\/|\/\*/.test(found);
}

export function findOutsideModules(file: SourceFile): HouseFinding[] {
  if (!CORE.test(file.path)) return [];
  return file.imports
    .filter(({ specifier }) => OUTSIDE.test(specifier))
    .map(({ specifier, line }) => ({
      path: file.path,
      line,
      rule: `a core room imports no "${specifier}"`,
      instead: "describe a port in the room's port.ts, or move the reading to runtime",
    }));
}

/** Compiler and linter are not told to look away. */
const SILENCED = /@ts-(ignore|expect-error|nocheck)|biome-ignore(-all|-start)?\b(?![^\n:]*:\s*\S)/g;
/** Spelled apart, so that this file is no finding of its own. */
const REMINDER = new RegExp(
  `\\b(${["TO" + "DO", "FIX" + "ME", "HA" + "CK", "X".repeat(3)].join("|")})\\b`,
  "g",
);
const LINES_MAX = 450;

/** Rules about text as it stands, comments included. */
export function findInText(path: string, text: string): HouseFinding[] {
  const silenced = [...text.matchAll(SILENCED)].map(({ index }) => ({
    path,
    line: lineAt(text, index),
    rule: "neither compiler nor linter is silenced",
    instead: "correct the types; an exception from a lint rule needs its reason behind a colon",
  }));
  const reminders = [...text.matchAll(REMINDER)].map(({ index, 0: word }) => ({
    path,
    line: lineAt(text, index),
    rule: `a leftover reminder: ${word}`,
    instead: "do it, or open an issue and take the words out",
  }));
  return [...silenced, ...reminders];
}

export function findLength({ path, text }: SourceFile): HouseFinding[] {
  const lines = text.split("\n").length - 1;
  if (lines <= LINES_MAX) return [];
  return [
    {
      path,
      line: LINES_MAX,
      rule: `${lines} lines are more than one thing (at most ${LINES_MAX})`,
      instead: "find its second noun and give it a file",
    },
  ];
}

/** index.ts files are how barrels begin. */
export function findIndexFiles(file: SourceFile): HouseFinding[] {
  if (!/\/index\.(ts|js|mjs)$/.test(file.path)) return [];
  return [
    {
      path: file.path,
      line: placesOf(file, /\bexport\b/g)[0] ?? 1,
      rule: "no file is called index",
      instead: "name it after the one thing inside",
    },
  ];
}
