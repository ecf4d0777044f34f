# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m cuframes``: a look at streams from a terminal."""
