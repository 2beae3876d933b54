/**
 * One client of a hub that speaks the subprotocol `json.webpubsub.azure.v1` of Azure Web PubSub
 * (https://learn.microsoft.com/azure/azure-web-pubsub/reference-json-webpubsub-subprotocol).
 */
import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';

export const SUBPROTOCOL = 'json.webpubsub.azure.v1';
const MAX_NAME_CHARACTERS = 1_024;

export type DataType = 'text' | 'json' | 'binary' | 'protobuf';

interface Request {
  readonly type?: string;
  readonly ackId?: number;
  readonly group?: string;
  readonly event?: string;
  readonly noEcho?: boolean;
  readonly dataType?: DataType;
  readonly data?: unknown;
}

/** What the token says. */
export interface Claims {
  readonly userId: string | null;
  /** Such as `webpubsub.joinLeaveGroup`, or `webpubsub.sendToGroup.news` for one group. */
  readonly roles: readonly string[];
  /** Groups that the client is in from the start. */
  readonly groups: readonly string[];
}

/** What a connection needs of its hub. */
export interface Groups {
  join(group: string, connection: PubSubConnection): void;
  leave(group: string, connection: PubSubConnection): void;
  leaveAll(connection: PubSubConnection): void;
  members(group: string): Iterable<PubSubConnection>;
  /** An event of a client; what it returns, if anything, goes back to that client. */
  handle(event: string, data: unknown, connection: PubSubConnection): unknown;
}

/** What the subprotocol calls an error of an acknowledgement. */
class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class PubSubConnection {
  readonly id = randomUUID();
  readonly userId: string | null;
  readonly #socket: WebSocket;
  readonly #groups: Groups;
  readonly #roles: ReadonlySet<string>;
  /** Requests whose acknowledgement may be asked for again must not be carried out twice. */
  readonly #done = new Set<number>();

  constructor(socket: WebSocket, claims: Claims, groups: Groups) {
    this.#socket = socket;
    this.#groups = groups;
    this.#roles = new Set(claims.roles);
    this.userId = claims.userId;
    socket.on('message', (data, isBinary) => {
      if (isBinary) this.close('Text only', 1003);
      else this.#receive(data.toString());
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => groups.leaveAll(this));
    this.#send({ type: 'system', event: 'connected', userId: claims.userId, connectionId: this.id });
    for (const group of claims.groups) groups.join(group, this);
  }

  /** A message from the server itself. */
  send(dataType: DataType, data: unknown): void {
    this.#send({ type: 'message', from: 'server', dataType, data });
  }

  /** Says why, then closes. */
  close(message: string, code = 1000): void {
    this.#send({ type: 'system', event: 'disconnected', message });
    this.#socket.close(code, message);
  }

  #receive(text: string): void {
    let request: Request;
    try {
      request = JSON.parse(text) as Request;
    } catch {
      this.close('Malformed message', 1007);
      return;
    }
    if (request.type === 'ping') {
      this.#send({ type: 'pong' });
      return;
    }
    const { ackId } = request;
    if (ackId !== undefined && this.#done.has(ackId)) {
      const error = { name: 'Duplicate', message: `The request ${ackId} was carried out before` };
      this.#send({ type: 'ack', ackId, success: false, error });
      return;
    }
    try {
      this.#carryOut(request);
      if (ackId === undefined) return;
      this.#done.add(ackId);
      this.#send({ type: 'ack', ackId, success: true });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (ackId === undefined) return;
      const { code, message } = error;
      this.#send({ type: 'ack', ackId, success: false, error: { name: code, message } });
    }
  }

  #carryOut(request: Request): void {
    switch (request.type) {
      case 'joinGroup':
        this.#groups.join(this.#allowed('webpubsub.joinLeaveGroup', request.group), this);
        break;
      case 'leaveGroup':
        this.#groups.leave(this.#allowed('webpubsub.joinLeaveGroup', request.group), this);
        break;
      case 'sendToGroup':
        this.#sendToGroup(this.#allowed('webpubsub.sendToGroup', request.group), request);
        break;
      case 'event': {
        const answer = this.#groups.handle(nameOf(request.event), request.data, this);
        if (answer !== undefined) this.send(typeof answer === 'string' ? 'text' : 'json', answer);
        break;
      }
      default:
        throw new Refusal('BadRequest', `There is no request of type ${request.type}`);
    }
  }

  #sendToGroup(group: string, { dataType = 'text', data, noEcho }: Request): void {
    const message = { type: 'message', from: 'group', fromUserId: this.userId, group, dataType, data };
    for (const member of this.#groups.members(group)) {
      if (!(noEcho && member === this)) member.#send(message);
    }
  }

  #allowed(role: string, name: string | undefined): string {
    const group = nameOf(name);
    if (this.#roles.has(role) || this.#roles.has(`${role}.${group}`)) return group;
    throw new Refusal('Forbidden', `The token lacks the role ${role}`);
  }

  #send(value: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(value));
  }
}

function nameOf(name: string | undefined): string {
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME_CHARACTERS) return name;
  throw new Refusal('BadRequest', `A name has 1 to ${MAX_NAME_CHARACTERS} characters`);
}
