// Express with cookie-session, which signs the session and leaves it readable.
'use strict';

const fs = require('node:fs');
const compression = require('compression');
const cookieSession = require('cookie-session');
const express = require('express');

const LOGIN_PAGE = '/public/login.html';
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const [before, after] = fs.readFileSync('benches/peers/home.html', 'utf8').split('{name}');
const app = express();
app.use('/public', compression(), express.static('static'));
app.use(cookieSession({ name: 'express', keys: ['an authentication key'] }));

app.get('/', (request, response) => {
  const { username } = request.session;
  if (!username) return response.redirect(303, LOGIN_PAGE);
  response.type('html').send(before + escape(username) + after);
});

app.post('/login', express.urlencoded(), (request, response) => {
  const { username, password } = request.body;
  if (username !== 'foo' || password !== 'secret') {
    return response.redirect(303, `${LOGIN_PAGE}#failed`);
  }
  request.session = { username };
  response.redirect(303, '/');
});

// Keeps so many bytes in the session.
app.get('/fill', (request, response) => {
  request.session.values = 'v'.repeat(Number(request.query.size));
  response.redirect(303, '/');
});

function escape(text) {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

const server = app.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
