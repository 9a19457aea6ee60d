/** The XML that EC2 and IAM answer with, whole or broken, short or long. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { itemsOf, parseXml, textOf } from "../../src/adapter/aws-xml.js";

const GROUPS = `<?xml version="1.0" encoding="UTF-8"?>
<!-- of one region -->
<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <securityGroupInfo>
    <item><groupId>sg-1</groupId><groupName>a &amp; b</groupName><ipPermissions/></item>
    <item><groupId>sg-2</groupId><groupName><![CDATA[<raw>]]></groupName></item>
  </securityGroupInfo>
</DescribeSecurityGroupsResponse>`;

test("lists, texts, entities and empty elements are read", () => {
  const groups = itemsOf(parseXml(GROUPS), "securityGroupInfo");
  expect(groups.map((group) => [textOf(group, "groupId"), textOf(group, "groupName")])).toEqual([
    ["sg-1", "a & b"],
    ["sg-2", "<raw>"],
  ]);
  expect(itemsOf(groups[0], "ipPermissions")).toEqual([]);
  expect(textOf(groups[0], "none/of/these")).toBeUndefined();
});

test.each([
  ["nothing", ""],
  ["no XML", "upstream connect error"],
  ["an answer that was cut", GROUPS.slice(0, 300)],
  ["ends that cross", "<a><b></a></b>"],
  ["an end without a beginning", "</a>"],
])("%s is a fault of the answer, and tried again", (_, text) => {
  expect(() => parseXml(text)).toThrow(expect.objectContaining({ code: "AWS_ANSWER_INVALID" }));
});

test("whatever is written between elements comes back", () => {
  const escaped = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(textOf(parseXml(`<a><b>${escaped(text)}</b></a>`), "b")).toBe(text.trim());
    }),
  );
});

test("a megabyte of beginnings is refused, and not looked through for each of them", () => {
  expect(() => parseXml("<a".repeat(500_000))).toThrow();
  expect(() => parseXml(`${"<a>".repeat(100_000)}`)).toThrow();
});
