/** The chat example in a real browser: its own configuration files, its own page, only the ports are others. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { parse, parseAllDocuments } from 'yaml';
import { type ChatBackend, startChatBackend } from '../../examples/chat/backend/server.ts';
import { demoTls, Gateway, type Resource } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { findTool, skipWithout } from '../support/tools.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const projectFile = (relative: string): string =>
  fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const CHAT = projectFile('examples/chat');
const SCREENSHOTS = projectFile('test/.artifacts');

const executablePath = findTool('chromium', 'chromium-browser', 'google-chrome');
const skip = skipWithout('Chromium', executablePath, 'Install it with the package manager of your system.');

/** The files of the example, with another port. */
async function chatResources(listenerPort: number): Promise<Resource[]> {
  const names = (await readdir(CHAT)).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(names.map((name) => readFile(join(CHAT, name), 'utf8')));
  const resources = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()));
  for (const { kind, spec } of resources) {
    if (kind === 'EdgeGateway') spec.listeners[0].port = listenerPort;
  }
  return resources as Resource[];
}

async function startBackend(port: number): Promise<ChatBackend> {
  const secret = parse(await readFile(join(CHAT, 'signing-key.yaml'), 'utf8')) as {
    stringData: { key: string };
  };
  const { certificate, key } = demoTls;
  return startChatBackend({ port, host: '127.0.0.1', signingKey: secret.stringData.key, certificate, key });
}

describe('the chat example in Chromium', { skip }, () => {
  let backend: ChatBackend;
  let gateway: Gateway | undefined;
  let browser: Browser | undefined;
  let url: string;

  before(async () => {
    await mkdir(SCREENSHOTS, { recursive: true });
    backend = await startBackend(0);
    const port = await freePort();
    url = `http://localhost:${port}/`;
    const service = `chat-backend:9443=127.0.0.1:${backend.port}`;
    gateway = await Gateway.start(await chatResources(port), {}, ['--service', service]);
    browser = await chromium.launch({ executablePath: executablePath!, args: FLAGS, headless: true });
  });
  after(async () => {
    await browser?.close();
    await gateway?.stop();
    await backend.close();
  });

  const signIn = async (context: BrowserContext, name: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(url);
    await page.getByLabel('Your name').fill(name);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await inChat(page);
    return page;
  };
  /** What the link "Open another tab" opens. */
  const anotherTab = async (context: BrowserContext): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(`${url}?join`);
    return page;
  };
  const inChat = (page: Page): Promise<void> => page.locator('#status[data-state=open]').waitFor();
  const person = (page: Page, name: string) => page.locator('#people li', { hasText: name });

  test('two people talk', async () => {
    const [first, second] = await Promise.all([browser!.newContext(), browser!.newContext()]);
    const [grace, alan] = await Promise.all([signIn(first!, 'Grace'), signIn(second!, 'Alan')]);
    await person(grace, 'Alan').waitFor();
    await person(alan, 'Grace').waitFor();
    await grace.getByLabel('Message', { exact: true }).fill('Hello <b>Alan</b>');
    await grace.getByRole('button', { name: 'Send' }).click();
    const message = alan.locator('.message', { hasText: 'Hello' });
    await message.waitFor();
    assert.equal(await message.locator('.text').textContent(), 'Hello <b>Alan</b>');
    await first!.close();
    await person(alan, 'Grace').waitFor({ state: 'detached' });
    await second!.close();
  });

  test('the third tab of one person is refused, is told so, and comes in when there is room', async () => {
    const context = await browser!.newContext({ viewport: { width: 1100, height: 720 } });
    const first = await signIn(context, 'Ada');
    const second = await anotherTab(context);
    await inChat(second);
    await first.getByText('You have 2 tabs open.').waitFor();

    const third = await anotherTab(context);
    const card = third.locator('#refused');
    await card.waitFor();
    await third.getByRole('heading', { name: 'You already have 2 connections open' }).waitFor();
    assert.notEqual(await third.locator('#refused-message').textContent(), '');
    assert.match((await third.locator('#refused-countdown').textContent()) ?? '', /^Next try in \d+ s$/);
    await third.screenshot({ path: join(SCREENSHOTS, 'chat-429.png') });
    await third.emulateMedia({ colorScheme: 'dark' });
    await third.screenshot({ path: join(SCREENSHOTS, 'chat-429-dark.png') });

    // Somebody else has two connections of their own.
    const other = await browser!.newContext({ colorScheme: 'dark', viewport: { width: 1100, height: 720 } });
    const bob = await signIn(other, 'Bob');
    await person(bob, 'Ada').getByText('2 tabs').waitFor();
    await bob.getByLabel('Message', { exact: true }).fill('Is the third one in yet?');
    await bob.keyboard.press('Enter');
    await first.getByText('Is the third one in yet?').waitFor();
    await first.getByLabel('Message', { exact: true }).fill('Not yet.');
    await first.keyboard.press('Enter');
    await bob.getByText('Not yet.').waitFor();
    await first.screenshot({ path: join(SCREENSHOTS, 'chat.png') });
    await bob.screenshot({ path: join(SCREENSHOTS, 'chat-dark.png') });

    // The tab tries again by itself.
    await second.close();
    await inChat(third);
    await third.getByText('You have 2 tabs open.').waitFor();
    await Promise.all([context.close(), other.close()]);
  });

  test('tabs come back when the backend restarts', async () => {
    const context = await browser!.newContext();
    const page = await signIn(context, 'Edsger');
    const { port } = backend;
    await backend.close();
    await page.locator('#status[data-state=waiting]').waitFor();
    backend = await startBackend(port);
    await inChat(page);
    await page.getByText('You have 1 tab open.').waitFor();
    await context.close();
  });
});
