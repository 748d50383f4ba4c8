/** The layout of a search: a stage a line, subsearches indented. The server does it; comments and macros stay as typed. */
import { request } from "../api/client";

/** The text laid out; the same text where something in it is not closed. */
export async function laidOut(text: string): Promise<string> {
  const answer = await request<{ search: string }>("/search/format", { method: "POST", body: { search: text } }).catch(
    () => null,
  );
  return answer?.search ?? text;
}
