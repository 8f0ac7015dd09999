"""A small model with one of everything that the page shows, and a name that tries to be a script."""

TEXT = """
model shop "A small shop"
    "Word of mouth fills it, the size of the town limits it."
    ko "작은 가게"
time 2000 to 2020 [year] step 1/8 save 1/4

unit customer "customers"
    ko "명"
unit kcust = 1e3 customer
unit MUSD = 1e6 USD

# --- People -------------------------------------------------------------------
stock customers "Customers" [kcust] = 1 gains joining loses leaving
    "People who <script>window.hacked = 1</script> buy here."
    ko "고객"
flow joining "Joining" [kcust/year] = word * customers * (1 - customers / town)
    ko "유입"
flow leaving "Leaving" [kcust/year] = customers * churn
    ko "이탈"
aux crowding "<b>Crowding</b> & <script>window.hacked = 1</script>" [1] = customers / town

param churn "Churn" [1/year] = 0.1 in 0.02 .. 0.4 from guess
    ko "이탈률"
param word "Word of mouth" [1/year] = 0.8 in 0.1 .. 2 from survey "asked 40 people"
    ko "입소문"
param town "People in the town" [kcust] = 50 in 10 .. 200 from measured "census"

# --- Money --------------------------------------------------------------------
stock cash "Cash" [MUSD] = 0 gains income
    ko "현금"
flow income "Income" [MUSD/year] = customers * basket / patience
    ko "소득"
data takings "Takings" [MUSD/year] = "takings.csv" series "takings"
param basket "Basket" [MUSD/kcust/year] = 0.2 in 0.05 .. 0.5 from estimate "till receipts"
param patience "Patience" [1] = 1 in 0 .. 2 from guess
    "At zero the model has no answer, which the page must survive."
param fixed "A convention" [1] = 1 in 1 .. 1 from measured

observe income by takings error 10%
outcome last "Customers at the end" [kcust] = customers at 2020
    ko "마지막 고객 수"
outcome earned "Money earned" [MUSD] = total income
outcome tenfold "Ten thousand customers" [year] = time of customers > 10
lever keep "Keep people" = churn by -50% level 8
    "Treat them well."
lever talk "Make them talk" = word to 1.2 level 7
lever wait "Wait" = patience to 1.5
scenario crisis "A crisis": churn = 0.3 from 2008 to 2010
    ko "위기"
scenario small "A smaller town": town = 20
loop R1 "Word of mouth" = customers -> joining -> customers
    ko "입소문"
loop B1 "The town fills" = customers -> crowding -> joining -> customers
loop B2 "Churn" = customers -> leaving -> customers
"""
TEXT = TEXT.replace("(1 - customers / town)", "(1 - crowding)").strip() + "\n"

DATA = """year,series,value,verified
2005,takings,1.1,yes
2010,takings,5.2,yes
2015,takings,8.4,no
"""
