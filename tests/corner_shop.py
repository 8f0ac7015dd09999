"""A small shop with levers, loops and awkward labels, for the tests of studies and their tables."""

from __future__ import annotations

SHOP = """model shop "Shop <b>&amp;</b>"
    ko "가게"
    "Guests talk; a full shop serves worse."
time 0 to 10 [year] step 1/8 save 1/4
unit person
unit euro
stock guests "Guests <i>" [person] = 100 gains joining loses leaving
    ko "손님"
flow joining "Joining" [person/year] = talk * guests * service * (1 - guests / town)
    ko "가입"
flow leaving "Leaving & gone" [person/year] = boredom * guests
    ko "이탈"
aux load "Load" [1] = guests / seats
    ko "혼잡도"
table service "Service" [1] of load = (0, 1.2) (0.5, 1) (1, 0.7) (2, 0.3)
    ko "서비스"
aux profit "Profit" [euro/year] = guests * margin * price - rent * seats
    ko "이익"
param talk "Talk <script>alert(1)</script>" [1/year] = 0.6 in 0.3 .. 0.9 from guess
    ko "입소문"
param boredom "Boredom" [1/year] = 0.1 in 0.05 .. 0.2 from guess
    ko "싫증"
param town "Town" [person] = 900 in 500 .. 2000 from guess
    ko "마을"
param seats "Seats" [person] = 400 in 200 .. 800 from guess
    ko "좌석"
param price "Price" [euro/person/year] = 10 in 8 .. 12 from guess
    ko "가격"
param margin "Margin" [1] = 0.3 in 0.2 .. 0.4 from guess
    ko "마진"
param rent "Rent" [euro/person/year] = 0.5
    ko "임차료"
outcome earned "All profit" [euro] = total profit
    ko "총이익"
outcome last "Guests in the end" [person] = guests at 10
    ko "마지막 손님 수"
outcome full "Year in which it is full" [year] = time of guests > 300
    ko "만석이 되는 해"
lever louder "Talk <more> & more" = talk by 5% cost 10
    ko "입소문 <키우기>"
lever roomier "Rent more seats" = seats by 25% at 2 cost 30
    ko "좌석 늘리기"
lever cheaper "Charge less" = price by -10% cost 5
    ko "가격 낮추기"
scenario small "A small town": town = 500
loop R1 "Word of <mouth>" = guests -> joining -> guests
    ko "입소문"
loop B1 "Leaving" = guests -> leaving -> guests
    ko "이탈"
"""

FAILING = """model fail
time 0 to 10 [year] step 1
stock a = 1 gains b
flow b = a / (k - time)
param k = 5 in 4 .. 6
outcome z = a at 10
outcome early = a at 3
lever l = k by 10% cost 1
"""
"""The run divides by zero in year 5."""
