/** Planted bugs of requests that are sent again: what is remembered of them, for how long, and by which number. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const decide = "domain/Decide.ts"
const batch = "domain/Batch.ts"
const session = "domain/Session.ts"
const link = "client/ZoneLink.ts"
const scenario = "retries"

export const requests: ReadonlyArray<Mutant> = [
  {
    name: "replies-not-remembered",
    about: "A change leaves no reply in its session: sent again, it happens again.",
    file: batch,
    find: "  if (record.session !== 0) state.sessions.get(record.session)?.remember(record.request, reply)\n",
    replace: "",
    scenario
  },
  {
    name: "replies-not-replayed",
    about:
      "Replay changes the state but does not remember replies: after a failover, what is sent again happens again.",
    file: batch,
    find: "reader.record()\n      applyRecord(state, record, forgotten || isWait(record))",
    replace: "reader.record()\n      applyRecord(state, record, true)",
    scenario
  },
  {
    name: "replies-looked-up-by-another-number",
    about: "A request that was answered is looked up by the number after its own.",
    file: decide,
    find: "this.state.sessions.get(session)?.replyTo(number) ??",
    replace: "this.state.sessions.get(session)?.replyTo(number + 1) ??",
    scenario
  },
  {
    name: "refusals-not-remembered",
    about: "A refusal is not remembered: the same request, come twice, may be refused and then happen unseen.",
    file: decide,
    find: "if (!isRead(operation) && session !== 0) this.remember(session, number, reply)",
    replace: "if (isRead(operation) && session !== 0) this.remember(session, number, reply)",
    scenario: "echoes"
  },
  {
    name: "stale-epoch-accepted",
    about: "A message for an older activation is decided: one that was refused there, late, may happen here.",
    file: "actors/Zone.ts",
    find: "if (message.epoch !== active.epoch) {",
    replace: "if (message.epoch > active.epoch) {",
    scenario: "echoes"
  },
  {
    name: "late-requests-happen",
    about: "A request below the floor, which was answered and forgotten, is decided once more.",
    file: decide,
    find: "    if (number < floor) return { reply: Batch.encodeRefusal(Errno.ECANCELED) }\n",
    replace: "",
    scenario: "echoes"
  },
  {
    name: "floor-forgets-the-request-at-it",
    about: "Raising the floor forgets the reply of the request at it, which is not answered yet.",
    file: session,
    find: "if (request < floor) this.remembered.delete(request)",
    replace: "if (request <= floor) this.remembered.delete(request)",
    scenario
  },
  {
    name: "client-tells-a-floor-too-high",
    about: "The client says that its oldest open request is answered.",
    file: "client/Session.ts",
    find: "return oldest\n",
    replace: "return oldest + 1\n",
    scenario
  },
  {
    name: "client-floor-by-the-newest",
    about: "The client's floor is its newest open request: older ones that still wait are forgotten.",
    file: "client/Session.ts",
    find: "    for (const oldest of this.of(zone).outstanding) return oldest\n    return this.next\n",
    replace: "    return Math.max(...this.of(zone).outstanding, 0) || this.next\n",
    scenario
  },
  {
    name: "client-numbers-retries-anew",
    about: "A command that is sent again gets a new number: it may happen twice.",
    file: link,
    find: "          commands\n        })\n",
    replace: "          commands: commands.map((command) => ({ ...command, number: session.begin(zone) }))\n" +
      "        })\n",
    scenario
  },
  {
    name: "client-known-after-a-read",
    about: "The client takes its session for known once a read was answered, which leaves no session behind.",
    file: link,
    find: "if (commands.some(({ operation }) => !isRead(operation))) session.know(zone)",
    replace: "if (commands.some(({ operation }) => isRead(operation))) session.know(zone)",
    scenario
  },
  {
    name: "client-known-when-sent",
    about: "The client takes its session for known as soon as it sends its first change.",
    file: link,
    find: "      calls.map((call) => ({ ...call, number: session.begin(zone) }))",
    replace: "      calls.map((call) => {\n" +
      "        if (!isRead(call.operation)) session.know(zone)\n" +
      "        return { ...call, number: session.begin(zone) }\n" +
      "      })",
    scenario
  },
  {
    name: "client-swaps-replies",
    about: "Callers that share a message get the replies of the first of them.",
    file: link,
    find: "at += own.length",
    replace: "at += own.length - 1",
    scenario: "crowd"
  },
  {
    name: "replies-to-whoever-waits",
    about: "Replies go to whoever has waited longest on the connection, not to whoever sent their message.",
    file: "shards/MessageChannel.ts",
    find: "    const done = this.pending.take(request)\n",
    replace: "    const done = this.pending.oldest\n    this.pending.take(request)\n",
    scenario: "visitors"
  },
  {
    name: "waiting-request-queued-twice",
    about: "A lock request that waits already, sent again, waits a second time.",
    file: decide,
    find: "operation.code === operations.lock.code && this.isWaiting(session, number)",
    replace: "operation.code === operations.unlock.code && this.isWaiting(session, number)",
    scenario: "lockers"
  },
  {
    name: "zone-raises-floors-too-far",
    about: "The zone takes the floor that a client tells for one that it has reached: the request at it is refused.",
    file: decide,
    find: "if (number < floor) return {",
    replace: "if (number <= floor) return {",
    scenario
  }
]
