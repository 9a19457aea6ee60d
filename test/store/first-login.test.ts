/** GIVEN an environment that was never started, THEN its services get a password that nobody has seen, once (X-33, HB-aws-24). */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Fault } from "../../src/base/fault.js";
import { makeSecretValue } from "../../src/base/secret-kinds.js";
import { SecretText } from "../../src/base/secret-text.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { type FirstSecret, giveFirstLogin } from "../../src/store/first-login.js";
import { loginUser } from "../../src/store/user-care.js";
import { createTwoUsers, type TwoUsers } from "../support/two-users.js";

let users: TwoUsers;
/** Roles belong to the whole server, so their names say whose they are. */
let group: string;
let kept: KeptSecret;
beforeAll(async () => {
  users = await createTwoUsers();
  group = `${users.group}_first`;
});
beforeEach(async () => {
  await dropGroup();
  kept = new KeptSecret();
});
afterAll(async () => {
  await dropGroup();
  await users.drop();
});

async function dropGroup(): Promise<void> {
  const { rows } = await users.admin.query<{ name: string }>(
    "SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1)",
    [[`${group}_a`, `${group}_b`, group]],
  );
  for (const { name } of rows)
    await users.admin.query(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`);
}

/** As Secrets Manager: the first value is the one that stays. */
class KeptSecret implements FirstSecret {
  value: SecretText | null = null;
  puts = 0;
  /** Instead of putting. */
  dies: Error | null = null;

  async hasValue(): Promise<boolean> {
    return this.value !== null;
  }

  async putFirst(value: SecretText): Promise<boolean> {
    if (this.dies) throw this.dies;
    this.puts += 1;
    if (this.value !== null) return false;
    this.value = value;
    return true;
  }

  async read(): Promise<SecretText> {
    return this.value!;
  }
}

function give(db: Database = users.owner, secret: FirstSecret = kept) {
  return giveFirstLogin(db, {
    ...{ group, ssl: false, secret, address: new SecretText(users.ownerUrl) },
    password: makeSecretValue("database", randomBytes),
  });
}

const loginOf = (address: SecretText | null) => loginUser(address!, false);

describe("the first password", () => {
  test("is in the secret alone, lets in, and only the one of the two users", async () => {
    expect(await give()).toBe("given");
    expect(await loginOf(kept.value)).toBe(`${group}_a`);
    const { pathname, host } = new URL(users.ownerUrl);
    expect(new URL(kept.value!.reveal())).toMatchObject({ pathname, host });
    const { rows } = await users.admin.query<{ name: string; may: boolean }>(
      "SELECT rolname AS name, rolcanlogin AS may FROM pg_roles WHERE rolname LIKE $1 ORDER BY 1",
      [`${group}\\__`],
    );
    expect(rows).toEqual([
      { name: `${group}_a`, may: true },
      { name: `${group}_b`, may: false },
    ]);
  });

  test("is left as it is the next time", async () => {
    await give();
    const before = kept.value;
    expect(await give()).toBe("there");
    expect(kept.value).toBe(before);
    expect(kept.puts).toBe(1);
    expect(await loginOf(kept.value)).toBe(`${group}_a`);
  });

  test("a value that a person has put is not looked into and not replaced", async () => {
    kept.value = new SecretText("somebody's own");
    expect(await give()).toBe("there");
    expect(kept.value.reveal()).toBe("somebody's own");
    expect(kept.puts).toBe(0);
  });

  test("whoever dies before it is kept leaves nothing that the next one trips over", async () => {
    kept.dies = new Error("killed");
    await expect(give()).rejects.toThrow("killed");
    kept.dies = null;
    expect(await give()).toBe("given");
    expect(await loginOf(kept.value)).toBe(`${group}_a`);
  });

  test("two at once wait for each other, and one password is made", async () => {
    const other = openDatabase({
      ...{ url: users.ownerUrl, ssl: false, poolMax: 2, applicationName: "test-other" },
    });
    try {
      expect((await Promise.all([give(), give(other)])).sort()).toEqual(["given", "there"]);
    } finally {
      await other.close();
    }
    expect(kept.puts).toBe(1);
    expect(await loginOf(kept.value)).toBe(`${group}_a`);
  });

  test("one that was told of no value although there is one makes true what is kept", async () => {
    await give();
    const late: FirstSecret = {
      hasValue: async () => false,
      putFirst: (value) => kept.putFirst(value),
      read: () => kept.read(),
    };
    expect(await give(users.owner, late)).toBe("there");
    expect(await loginOf(kept.value)).toBe(`${group}_a`);
  });

  test("is not made by who does not own the tables", async () => {
    const refused = await give(users.application).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Fault);
    expect(refused).toMatchObject({ code: "DATABASE_USERS_REFUSED" });
    expect(kept.value).toBeNull();
  });
});
