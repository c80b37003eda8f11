'use strict';

// What a page does that follows a node, and what a test asks it. A page has one
// source.
var source;
var events = [];     // those not yet asked for, as {name, id, data}
var opens = 0;       // how often the source opened
var errors = [];     // the state of the source at each error
var waiting = null;  // looks again whether what is waited for has come

var names = ['subscription', 'retract', 'purge', 'delete', 'gap'];

function follow(url, options) {
  source = new EventSource(url, options);
  source.onmessage = keep;
  source.onopen = function () { opens++; changed(); };
  source.onerror = function () { errors.push(source.readyState); changed(); };
  names.forEach(function (name) { source.addEventListener(name, keep); });
}

function keep(e) {
  events.push({name: e.type, id: e.lastEventId, data: e.data});
  changed();
}

function changed() {
  if (waiting) waiting();
}

// until resolves with what is true of the page when condition() is.
function until(condition) {
  return new Promise(function (resolve) {
    waiting = function () {
      if (!condition()) return;
      waiting = null;
      resolve(true);
    };
    waiting();
  });
}

// next resolves with the next event.
async function next() {
  await until(function () { return events.length > 0; });
  return events.shift();
}

// parse returns the element that data is.
function parse(data) {
  return new DOMParser().parseFromString(data, 'text/xml').documentElement;
}

// read follows a node by fetch, from after an event if it has an id, until
// stop() is called.
async function read(url, lastEventID, credentials) {
  const abort = new AbortController();
  stop = function () { abort.abort(); };
  const headers = lastEventID ? {'Last-Event-ID': lastEventID} : {};
  const response = await fetch(url, {headers, credentials: credentials || 'omit', signal: abort.signal});
  opens++;
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop();
    blocks.forEach(keepBlock);
  }
}

var stop;

function keepBlock(block) {
  const e = {name: 'message', id: '', data: []};
  for (const line of block.split('\n')) {
    const at = line.indexOf(': ');
    const value = line.slice(at + 2);
    switch (line.slice(0, at)) {
      case 'event': e.name = value; break;
      case 'id': e.id = value; break;
      case 'data': e.data.push(value); break;
    }
  }
  events.push({...e, data: e.data.join('\n')});
  changed();
}
