// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs before the page is shown, so that it does not begin in the other colours.
{
  const chosen = localStorage.getItem('theme');
  if (chosen === 'light' || chosen === 'dark') {
    document.documentElement.dataset.theme = chosen;
  }
}
