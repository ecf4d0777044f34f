// SPDX-License-Identifier: LGPL-2.1-or-later
import { post } from '/assets/common.js';

const token = document.getElementById('token');
const problem = document.getElementById('problem');
document.getElementById('login').addEventListener('submit', async event => {
  event.preventDefault();
  problem.textContent = '';
  try {
    await post('/login', { token: token.value });
    location.replace(location.pathname === '/login' ? '/' : location.href);
  } catch (error) {
    problem.textContent = error.message;
    token.select();
  }
});
token.focus();
