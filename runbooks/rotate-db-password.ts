/**
 * Another database password without one failed login (RB-98, HB-op-52, LB-op-12, HB-sec-04, HB-sec-06, LB-sec-03, HB-cli-38,
 * HB-cli-39, LB-cli-10, X-33): of two users, the one that nobody uses gets it, and the services move over.
 */
import { MINUTE_MS } from "../src/base/duration.js";
import { Fault, fault } from "../src/base/fault.js";
import type { SecretText } from "../src/base/secret-text.js";
import {
  type UserPair,
  userPairOf,
  withLogin,
  withUser,
} from "../src/runbook/aws/database-users.js";
import { patiently } from "../src/runbook/aws/patient.js";
import {
  READ_MASTER_LOGIN,
  READ_SERVICES,
  UPDATE_SERVICES,
} from "../src/runbook/aws/permissions.js";
import {
  judgingRotation,
  planRotation,
  promoting,
  putPending,
  readingBefore,
  rotating,
  rotationFacts,
  shortId,
} from "../src/runbook/aws/rotation.js";
import {
  ROTATION_TARGETS_MAX,
  restarting,
  rotationLocks,
} from "../src/runbook/aws/secret-readers.js";
import { type ActContext, defineRunbook, Type } from "../src/runbook/define.js";

type Params = object;

const SECRET = "database-url";
const PREPARE = "give the idle user a new password";
/** Old tasks are gone by then, and their sessions end with them. */
const LEAVE_WITHIN_MS = MINUTE_MS;
const LOOK_EVERY_MS = 5_000;
const LOGIN_TRIES = 3;

export default defineRunbook({
  name: "rotate-db-password",
  title:
    "Moves the services to the other of two database users, with a new password, and locks the old one out",
  danger: "V",
  params: Type.Object({}, { additionalProperties: false }),
  locks: () => rotationLocks(SECRET),
  targetsMax: ROTATION_TARGETS_MAX,
  timeoutMs: 55 * MINUTE_MS,
  touches: {
    database: ["jobs:read", "database:users"],
    aws: [...READ_SERVICES, ...UPDATE_SERVICES, ...rotating(SECRET), ...READ_MASTER_LOGIN],
  },
  guide:
    "There are two users, such as algobrain_app_a and algobrain_app_b, members of one group that holds the rights. They are changed by the database's master user, whose password RDS keeps. Whoever else logs in as the old one is locked out at the end: the plan says how many sessions each has.",
  plan: async (context) => {
    const users = Object.entries(await context.database.sessionsByUser())
      .filter(([name]) => /_[ab]$/.test(name))
      .map(([name, count]) => `${name} has ${count} sessions`);
    return planRotation(context, SECRET, {
      changes: ["the address of the other user", "the old user gets a password that nobody has"],
      text: users,
    });
  },
  steps: [
    {
      name: PREPARE,
      // Nobody uses that user yet: another password, and another version that waits, do no harm.
      repeat: "safe",
      run: async (context) => {
        const now = await readAddress(context, "AWSCURRENT");
        const { used, idle } = userPairOf(now);
        const password = context.system.newSecret("database");
        await setPassword(context, { now, user: idle, password });
        const address = withUser(now, idle, password);
        await expectLogin(context, address, idle);
        const version = await putPending(context, SECRET, address);
        const text = `${idle} has a new password and can log in: version ${shortId(version)} waits`;
        return { text, value: { used, idle } };
      },
      undo: readingBefore<Params>(SECRET, async (context) => {
        try {
          await context.database.testLogin(await readAddress(context, "AWSPREVIOUS"));
          return null;
        } catch (thrown) {
          if (!(thrown instanceof Fault) || thrown.code !== "DATABASE_LOGIN_REFUSED") throw thrown;
          return "left as it is: the old user is locked out already";
        }
      }),
    },
    promoting(SECRET),
    ...restarting((context) => rotationFacts(context).readers),
    {
      name: "wait until nobody is the old user",
      repeat: "safe",
      run: async (context) => {
        const { used } = pairIn(context);
        const deadline = context.now().getTime() + LEAVE_WITHIN_MS;
        for (;;) {
          const count = (await context.database.sessionsByUser())[used] ?? 0;
          if (count === 0) return `${used} has no session`;
          if (context.now().getTime() >= deadline) throw stillUsed(used, count);
          await context.wait(LOOK_EVERY_MS);
        }
      },
      undo: { never: "it only looked" },
    },
    {
      name: "lock the old user out",
      repeat: "safe",
      run: async (context) => {
        const { used } = pairIn(context);
        const now = await readAddress(context, "AWSCURRENT");
        const password = context.system.newSecret("database");
        await setPassword(context, { now, user: used, password });
        return `${used} has a password that nobody has`;
      },
      undo: { never: "nobody has kept the password of before" },
    },
  ],
  verify: judgingRotation<Params>(SECRET, (context) => `the services are ${pairIn(context).idle}`),
  next: () => "/algobrain diagnose-db-connectivity",
});

function stillUsed(user: string, count: number) {
  return fault.refused("OLD_USER_IN_USE", `found ${count} sessions of ${user}, expected none`, {
    hint: "somebody else logs in as it: /algobrain diagnose-db-connections",
  });
}

/** Names of users, never a password. */
function pairIn({ resultOf }: Pick<ActContext<Params>, "resultOf">): UserPair {
  return resultOf(PREPARE) as unknown as UserPair;
}

function readAddress({ aws }: Pick<ActContext<Params>, "aws">, stage: string) {
  return aws.readSecret({ name: aws.place().secretOf(SECRET), stage });
}

interface NewPassword {
  /** Says where the database is. */
  readonly now: SecretText;
  readonly user: string;
  readonly password: SecretText;
}

/** Through the master user, whom the services never are (HB-aws-24). RDS may change its password between reading and using it. */
async function setPassword(
  context: ActContext<Params>,
  { now, user, password }: NewPassword,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const through = withLogin(now, await readMasterLogin(context));
    try {
      await patiently(context, () => context.database.setUserPassword({ through, user, password }));
      return;
    } catch (thrown) {
      const isLate = thrown instanceof Fault && thrown.code === "DATABASE_LOGIN_REFUSED";
      if (!isLate || tries === LOGIN_TRIES) throw thrown;
      await context.wait(LOOK_EVERY_MS);
    }
  }
}

/** The version of this moment: RDS changes it by itself. */
async function readMasterLogin(context: ActContext<Params>): Promise<SecretText> {
  const { aws } = context;
  const { masterSecret } = await patiently(context, () => aws.databaseCluster());
  if (masterSecret === null)
    throw fault.refused(
      "MASTER_SECRET_MISSING",
      `${aws.place().databaseCluster}: found a master password that RDS does not keep, expected manage_master_user_password`,
      { hint: "apply the data stack: it gives the password into RDS' keeping" },
    );
  return patiently(context, () => aws.readSecret({ name: masterSecret }));
}

async function expectLogin(
  context: ActContext<Params>,
  address: SecretText,
  user: string,
): Promise<void> {
  const found = await patiently(context, () => context.database.testLogin(address));
  if (found === user) return;
  throw fault.refused("DATABASE_LOGIN_REFUSED", `found to be ${found}, expected ${user}`);
}
