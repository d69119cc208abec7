"""The shape of a pack's file, kind of rule by kind of rule, and the rule that each makes."""

from services.outreach.compliance.forms import clock, conditions

AnyRuleForm = (
    clock.WindowForm
    | clock.BlackoutForm
    | clock.CapForm
    | clock.CooldownForm
    | conditions.BlockForm
    | conditions.MoratoriumForm
    | conditions.OptOutForm
    | conditions.BanForm
    | conditions.PolicyForm
    | conditions.PartyRuleForm
    | conditions.ContactGateForm
    | conditions.RequireForm
    | conditions.AgencyGateForm
    | conditions.WaitForm
    | conditions.DeadlineForm
    | conditions.ContentBanForm
)
