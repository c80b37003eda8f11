'use strict';

const shown = 50; // events on the page
const $ = (id) => document.getElementById(id);

function show(text, id, note) {
	const item = document.createElement('li');
	if (note) item.className = 'note';
	const label = document.createElement('span');
	label.className = 'id';
	label.textContent = id;
	item.append(label, text);
	$('events').prepend(item);
	while ($('events').children.length > shown) $('events').lastChild.remove();
}

function state(name, text) {
	$('state').className = name;
	$('state').textContent = text;
}

// What an item says: the title of an Atom entry, else all of its text, else
// the XML itself.
function summary(xml) {
	const item = new DOMParser().parseFromString(xml, 'application/xml').documentElement;
	const title = item.getElementsByTagNameNS('http://www.w3.org/2005/Atom', 'title')[0];
	return (title || item).textContent.trim() || xml;
}

// EventSource does not say why it was refused.
async function explain(url) {
	const response = await fetch(url, { method: 'HEAD' });
	if (response.ok) return 'the stream was refused; reload the page to try again';
	const problem = await (await fetch(url)).json();
	return `${problem.status} ${problem.title}: ${problem.detail}`;
}

async function main() {
	const node = await (await fetch('node')).text();
	const url = '/eventsource/' + encodeURIComponent(node);
	$('node').textContent = node;
	$('code').textContent =
		`const events = new EventSource('${url}');\n` +
		`events.onmessage = (event) => console.log(event.lastEventId, event.data);`;

	const events = new EventSource(url);
	events.onopen = () => state('open', 'open');
	events.onmessage = (event) => show(summary(event.data), event.lastEventId);
	for (const name of ['retract', 'purge', 'delete', 'gap', 'subscription']) {
		events.addEventListener(name, (event) => show(`${name}: ${event.data}`, event.lastEventId, true));
	}
	events.onerror = async () => {
		if (events.readyState === EventSource.CONNECTING) return state('', 'reconnecting');
		state('closed', await explain(url));
	};
}

main();
