// Calls talend.mjs with bodies that can be sent again and with others, and prints the answers and the token as shown.
import { inspect } from "node:util";
import { getToken, talendFetch } from "../../../infra/consumer-node/talend.mjs";
const end = (call) => call().then((answer) => answer.status, (error) => error.constructor.name);
const token = await getToken();
const url = `${token.apiUrl}/x`;
const post = (body) => end(() => talendFetch(url, { method: "POST", duplex: "half", body }));
console.log(JSON.stringify({
  shown: inspect(token, { showHidden: true }) + JSON.stringify(token),
  once: [
    await post(new ReadableStream()), await post((async function* () {})()),
    await end(() => talendFetch(new Request(url))),
  ],
  again: [await post(new Blob([process.env.BODY])), await post(new TextEncoder().encode(process.env.BODY))],
  own: await end(() => talendFetch(url, { headers: { Authorization: "Bearer mine" } })),
}));
