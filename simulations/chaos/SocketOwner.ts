/** Whose a TCP connection is: which of some processes has the other end of it, as Linux tells in /proc. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"

/** The first of the processes that holds the connection from `port` to the IPv4 address. */
export const ownerOf = <Name>(
  port: number,
  to: { readonly host: string; readonly port: number },
  processes: Iterable<readonly [Name, number]>
): Name | undefined => {
  const socket = `socket:[${inodeOf(port, to)}]`
  for (const [name, pid] of processes) if (holds(pid, socket)) return name
  return undefined
}

/** The kernel writes addresses in the machine's byte order, that is with the last byte first. */
const hexOf = (host: string, port: number): string =>
  `${host.split(".").map((part) => Number(part).toString(16).padStart(2, "0")).reverse().join("")}:${hexOfPort(port)}`
    .toUpperCase()

const hexOfPort = (port: number): string => port.toString(16).padStart(4, "0").toUpperCase()

const inodeOf = (port: number, to: { readonly host: string; readonly port: number }): string | undefined => {
  const remote = hexOf(to.host, to.port)
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/)
    if (fields[1]?.endsWith(`:${hexOfPort(port)}`) === true && fields[2] === remote) return fields[9]
  }
  return undefined
}

const holds = (pid: number, socket: string): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === socket)
  } catch {
    // It is gone.
    return false
  }
}

const linkOf = (path: string): string | undefined => {
  try {
    return readlinkSync(path)
  } catch {
    // Closed meanwhile.
    return undefined
  }
}
