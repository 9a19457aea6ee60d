/** What a person at a terminal sees of policies on their way, and does about them. */
import { expect, test } from "vitest";
import { edited } from "../fixture/policy/sections.js";
import { layGround } from "../support/adoption-ground.js";
import { withDatabase } from "../support/database.js";
import { cli } from "./support.js";

const on = (url: string) => ({ env: { DATABASE_URL: url } });

test("policy status and release: what is in force, what is held and why, and how it goes on", () =>
  withDatabase(async (db, url) => {
    const ground = await layGround(db);
    const leader = await ground.lead();
    await leader.follow();
    const calm = await cli(["policy", "status"], on(url));
    expect(calm).toMatchObject({
      code: 0,
      out: expect.stringContaining("in force   files of policies"),
    });
    expect(calm.out).toMatch(/all +here:1:a +\d+ +[0-9a-f]{12} +in force/);

    const off = edited(ground.sections, { "healing/enabled": false });
    ground.publish({ revision: 4, sections: off });
    await leader.step();
    const held = await cli(["policy", "status"], on(url));
    expect(held.code).toBe(1);
    expect(held.out).toContain("held       bundle 4: healing-off");
    expect(held.out).toContain("algobrain policy release 4 --reason");

    const silent = await cli(["policy", "release", "4"], on(url));
    expect(silent).toMatchObject({ code: 2, err: expect.stringContaining("--reason") });
    const released = await cli(["policy", "release", "4", "--reason", "migration"], on(url));
    expect(released).toMatchObject({ code: 0, out: expect.stringContaining("healing-off") });
    const again = await cli(["policy", "release", "4", "--reason", "migration"], on(url));
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("it is canary") });
    await leader.step();
    expect((await cli(["policy", "status"], on(url))).out).toContain("in force   bundle 4");
  }));

test("policy override: begins, is listed, and ends", () =>
  withDatabase(async (db, url) => {
    await layGround(db);
    const path = "workers.index.concurrency";
    const begin = ["policy", "override", path, "2", "--reason", "slow disk", "--for", "2h"];
    const begun = await cli(begin, on(url));
    expect(begun).toMatchObject({ code: 0, out: expect.stringContaining(`${path} is 2`) });
    expect(begun.out).toContain("algobrain policy override end 1");
    expect(await cli(begin, on(url))).toMatchObject({ code: 1 });
    const listed = await cli(["policy", "override", "list"], on(url));
    expect(listed.out).toMatch(/1 +workers.index.concurrency +2 .* left +slow disk/);
    expect(await cli(["policy", "override", "end", "1"], on(url))).toMatchObject({ code: 0 });
    expect(await cli(["policy", "override", "end", "1"], on(url))).toMatchObject({ code: 1 });
    const long = [...begin.slice(0, -1), "73h"];
    expect(await cli(long, on(url))).toMatchObject({
      code: 2,
      err: expect.stringContaining("72h"),
    });
  }));
