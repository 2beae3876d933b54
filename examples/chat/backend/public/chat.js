import { Connection } from './connection.js';

const NAME_KEY = 'sluice-chat-name';
const $ = (id) => document.getElementById(id);

let connection = null;
let me = null;
let countdown = 0;

// One name per browser, one sign-in per tab: `?join` is how "Open another tab" carries it over.
const remembered = localStorage.getItem(NAME_KEY) ?? '';
$('name').value = remembered;
const joins = new URLSearchParams(location.search).has('join');
if (joins) history.replaceState(null, '', '/');
const name = sessionStorage.getItem(NAME_KEY) ?? (joins ? remembered : '');
if (name !== '') enter(name);
else show('sign-in');

$('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('sign-in-error').textContent = '';
  try {
    const signedIn = await signIn($('name').value);
    enter(signedIn.name);
  } catch (error) {
    $('sign-in-error').textContent = error.message;
  }
});

$('sign-out').addEventListener('click', () => {
  connection?.stop();
  connection = null;
  sessionStorage.removeItem(NAME_KEY);
  clearInterval(countdown);
  show('sign-in');
});

$('refused-retry').addEventListener('click', () => connection?.connect());

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text !== '' && connection?.send({ type: 'message', text })) $('text').value = '';
});

async function signIn(wanted) {
  const response = await fetch('/api/sign-in', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: wanted }),
  }).catch(() => null);
  if (response === null) throw new Error('The gateway cannot be reached.');
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error?.message ?? `Signing in failed (${response.status}).`);
  return answer;
}

function enter(name) {
  me = name;
  sessionStorage.setItem(NAME_KEY, name);
  localStorage.setItem(NAME_KEY, name);
  connection = new Connection(async () => (await signIn(name)).token);
  connection.addEventListener('connecting', () => status('connecting', 'Connecting…'));
  connection.addEventListener('open', opened);
  connection.addEventListener('data', (event) => received(event.detail));
  connection.addEventListener('waiting', (event) => waiting(event.detail.why));
  connection.addEventListener('refused', (event) => refused(event.detail));
  connection.addEventListener('rejected', (event) => waiting(event.detail.why));
  $('messages').replaceChildren();
  show('chat');
  connection.connect();
}

function show(which) {
  for (const id of ['sign-in', 'refused', 'chat']) $(id).hidden = id !== which;
  $('actions').hidden = $('status').hidden = which === 'sign-in';
  if (which === 'sign-in') $('name').focus();
}

function status(state, text) {
  $('status').dataset.state = state;
  $('status-text').textContent = text;
  $('send').disabled = state !== 'open';
}

function opened() {
  clearInterval(countdown);
  $('notice').hidden = true;
  status('open', `Signed in as ${me}`);
  show('chat');
  $('text').focus();
}

function waiting(why) {
  clearInterval(countdown);
  // The card of a refused tab stays until the tab is in; anything else is said above the conversation.
  if (!$('refused').hidden) return;
  status('waiting', 'Not connected');
  $('notice').textContent = why;
  $('notice').hidden = false;
}

async function refused({ message, retryAt, seconds }) {
  const first = $('refused').hidden;
  status('refused', 'Not let in');
  $('refused-message').textContent = message;
  if (first) $('refused-title').textContent = 'You already have too many connections open';
  show('refused');
  if (first) $('refused-title').focus();
  clearInterval(countdown);
  const tick = () => {
    const left = Math.max(0, retryAt - performance.now()) / 1000;
    $('refused-countdown').textContent = `Next try in ${Math.ceil(left)} s`;
    $('refused-progress').value = 1 - left / seconds;
  };
  tick();
  countdown = setInterval(tick, 200);
  const count = await connectionsOf(me);
  if (count !== null) {
    $('refused-title').textContent = `You already have ${count} connection${count === 1 ? '' : 's'} open`;
  }
}

/** A plain request is no connection that counts, so a tab that is not let in may still ask. */
async function connectionsOf(name) {
  try {
    const { token } = await signIn(name);
    const response = await fetch('/api/me', { headers: { Authorization: `Bearer ${token}` } });
    return response.ok ? (await response.json()).connections : null;
  } catch {
    return null;
  }
}

function received(event) {
  if (event.type === 'welcome') {
    $('messages').replaceChildren();
    event.history.forEach(say);
  } else if (event.type === 'message') {
    say(event);
  } else if (event.type === 'people') {
    people(event.people);
  }
}

function say({ from, text, at }) {
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const item = element('li', `message${from === me ? ' mine' : ''}`);
  item.dataset.from = from;
  if (list.lastElementChild?.dataset.from !== from) {
    const who = element('div', 'who');
    const time = element(
      'time',
      '',
      new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }),
    );
    time.dateTime = at;
    who.append(element('b', '', from === me ? 'You' : from), time);
    item.append(who);
  }
  item.append(element('div', 'text', text));
  list.append(item);
  if (atEnd || from === me) list.scrollTop = list.scrollHeight;
}

function people(list) {
  $('people-count').textContent = `(${list.length})`;
  $('people').replaceChildren(
    ...list.map(({ name, connections }) => {
      const item = element('li', '');
      const face = element('span', 'face', [...name][0].toUpperCase());
      face.setAttribute('aria-hidden', 'true');
      face.style.setProperty('--hue', hue(name));
      item.append(face, element('span', 'name', name === me ? `${name} (you)` : name));
      if (connections > 1) item.append(element('span', 'tabs', `${connections} tabs`));
      return item;
    }),
  );
  const mine = list.find(({ name }) => name === me)?.connections ?? 0;
  $('my-tabs').textContent = `You have ${mine} ${mine === 1 ? 'tab' : 'tabs'} open.`;
}

function hue(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return hash;
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
